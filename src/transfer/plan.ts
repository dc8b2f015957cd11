import type { TransferScope, TransferSide, TransferSource, TransferTarget } from '../contract/transfer.js'
import type { TransferOutlook, TransferPlan, TransferWishes } from '../contract/transfer-plan.js'
import { ConfigurationError, ConflictError, UnsupportedError } from '../errors.js'
import { RECORD_KINDS, type RecordKind, SEARCH_KINDS } from '../model/records.js'

const DEFAULT_LIMITS = { records: 2000, bytes: 8 * 1024 * 1024 }
/** Records of a range: where a plan says what is read, not how often it is written. */
const RANGE = 50_000

export const WITH_VECTORS: ReadonlySet<RecordKind> = new Set(SEARCH_KINDS)
const inOrder = (kinds: Iterable<RecordKind>): RecordKind[] => {
  const wanted = new Set(kinds)
  return RECORD_KINDS.filter((kind) => wanted.has(kind))
}

/** What is moved: what was asked for, of what the source has and the target can hold. */
function scopeOf(from: TransferSide, wishes: TransferWishes): RecordKind[] {
  const lacking = wishes.kinds?.filter((kind) => !from.kinds.includes(kind)) ?? []
  if (lacking.length > 0)
    throw new UnsupportedError('transfer', `${from.backend} holds no records of kind ${lacking.join(', ')}`)
  return inOrder(wishes.kinds ?? from.kinds)
}

/** Where the vectors come from. */
function vectorsOf(from: TransferSide, to: TransferSide, wishes: TransferWishes): TransferPlan['vectors'] {
  if (wishes.reembed) {
    if (to.space && to.space.provider !== 'records') return 'remade'
    throw new ConfigurationError(
      'nobody is there to make the vectors anew: open the target with a model (--embeddings)',
    )
  }
  if (!from.space) return 'none'
  const { space } = to
  // A store without vectors, or one that takes them as they are.
  if (!space) return to.adopts ? 'carried' : 'none'
  const same = (['provider', 'model', 'dimensions', 'metric'] as const).every((key) => from.space?.[key] === space[key])
  if (same) return 'carried'
  const words = (side: TransferSide): string =>
    `${side.space?.provider} ${side.space?.model}, ${side.space?.dimensions} dimensions, ${side.space?.metric}`
  throw new ConfigurationError(
    `the vectors are of another space than the target's (${words(from)}; there: ${words(to)}): open the target with that model, or make them anew with --reembed`,
  )
}

/** The kinds that others need and the source has none of. */
const madeFor = (from: TransferSide, to: TransferSide): RecordKind[] =>
  (['user', 'conversation'] as const).filter((kind) => to.kinds.includes(kind) && !from.kinds.includes(kind))

/** Decides what a transfer does. Nothing is written. */
export async function makePlan(
  source: TransferSource,
  target: TransferTarget,
  wishes: TransferWishes,
  newId: () => string,
): Promise<TransferPlan> {
  const [from, to] = await Promise.all([source.describe(), target.describe()])
  if (from.backend === to.backend && from.place === to.place)
    throw new ConfigurationError('the source and the target are the same place')
  const wanted = scopeOf(from, wishes)
  const { tenantId } = wishes
  const fits = wanted.filter((kind) => to.kinds.includes(kind))
  const omitted = await omittedOf(source, { kinds: wanted.filter((kind) => !fits.includes(kind)), tenantId })
  if (Object.keys(omitted).length > 0 && !wishes.allowOmit)
    throw new UnsupportedError(
      'transfer',
      `${to.backend} cannot hold ${told(omitted)}: leave them out with --allow-omit, or name what is wanted with --kinds`,
    )
  const scope = { kinds: fits, tenantId }
  const present = await target.count(scope)
  if (present > 0 && !wishes.merge && !wishes.dryRun)
    throw new ConflictError(
      `the target holds ${present} records already: name an empty one, or let them stay and add to them with --merge`,
    )
  const fingerprint = await source.fingerprint(scope)
  return {
    id: newId(),
    version: 1,
    from,
    to,
    scope,
    ranges: await source.ranges(scope, RANGE),
    fingerprint,
    omitted,
    vectors: vectorsOf(from, to, wishes),
    limits: { ...DEFAULT_LIMITS, ...wishes.limits },
    present,
    // Rows that are removed and made again while they are read would be there twice.
    bulk:
      !wishes.online && present === 0 && from.tables !== undefined && to.tables !== undefined && tenantId === undefined,
    made: madeFor(from, to),
  }
}

const told = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([kind, n]) => `${n} of kind ${kind}`)
    .join(', ')

/** How many there are of the kinds that would be left out; those of which there are none are no loss. */
async function omittedOf(source: TransferSource, scope: TransferScope): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  if (scope.kinds.length === 0) return counts
  for (const { kind, records } of await source.ranges(scope, RANGE)) counts[kind] = (counts[kind] ?? 0) + records
  return counts
}

/** What a plan will cost. */
export function outlookOf({ ranges, vectors }: TransferPlan): TransferOutlook {
  const sum = (of: typeof ranges): number => of.reduce((total, range) => total + range.records, 0)
  const toEmbed = vectors === 'remade' ? sum(ranges.filter(({ kind }) => WITH_VECTORS.has(kind))) : 0
  return { records: sum(ranges), toEmbed }
}

/**
 * Whether a stored plan is the one that is asked for.
 *
 * @throws ConflictError that says what differs.
 */
export async function checkPlan(plan: TransferPlan, source: TransferSource, wishes: TransferWishes): Promise<void> {
  const from = await source.describe()
  const differs = (what: string): never => {
    throw new ConflictError(
      `the transfer that was stopped had another ${what}: go on with the same command, or give it up with --abandon`,
    )
  }
  if (from.backend !== plan.from.backend || from.place !== plan.from.place) differs('source')
  if (from.schema !== plan.from.schema) differs('schema of the source')
  if (wishes.tenantId !== plan.scope.tenantId) differs('tenant')
  const wanted = wishes.kinds?.filter((kind) => plan.to.kinds.includes(kind))
  if (wanted && inOrder(wanted).join() !== plan.scope.kinds.join()) differs('choice of kinds')
  if (!wishes.online && (await source.fingerprint(plan.scope)) !== plan.fingerprint)
    throw new ConflictError(
      'the source has been written to since the transfer was stopped: give it up with --abandon, and begin again',
    )
}
