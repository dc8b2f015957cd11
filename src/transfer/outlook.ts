import type {
  TransferOutlook,
  TransferPlan,
  TransferRange,
  TransferSource,
  TransferTarget,
} from '../contract/transfer.js'
import { SEARCH_KINDS } from '../model/records.js'

/** Characters of a token, about: a guess that is told before anything is paid for. */
const PER_TOKEN = 4
/** Ranges of a kind that are looked into, and records of each. */
const LOOKS = 4
const SAMPLE = { records: 200, bytes: 4 * 1024 * 1024 }

/** What a plan will cost; texts that a model has to embed are counted by a sample of them. */
export async function outlookOf(
  source: TransferSource,
  target: TransferTarget,
  plan: Pick<TransferPlan, 'scope' | 'ranges' | 'vectors'>,
): Promise<TransferOutlook> {
  const present = await target.count(plan.scope)
  if (plan.vectors !== 'remade') return { present, toEmbed: 0, tokens: 0 }
  let toEmbed = 0
  let characters = 0
  for (const kind of SEARCH_KINDS) {
    const ranges = plan.ranges.filter((range) => range.kind === kind)
    const records = ranges.reduce((sum, range) => sum + range.records, 0)
    toEmbed += records
    characters += records * (await usualLength(source, ranges, plan.scope.tenantId))
  }
  return { present, toEmbed, tokens: Math.ceil(characters / PER_TOKEN) }
}

/** Characters of a text, of records here and there in the ranges of one kind. */
async function usualLength(
  source: TransferSource,
  ranges: readonly TransferRange[],
  tenantId: string | undefined,
): Promise<number> {
  const step = Math.max(1, Math.ceil(ranges.length / LOOKS))
  let records = 0
  let characters = 0
  for (const range of ranges.filter((_, i) => i % step === 0))
    for await (const batch of source.read(range, { after: null, limits: SAMPLE, tenantId })) {
      for (const { record } of batch.records) {
        records++
        characters += textOf(record).length
      }
      break
    }
  return records === 0 ? 0 : characters / records
}

const textOf = (record: object): string => ('content' in record ? String(record.content) : '')
