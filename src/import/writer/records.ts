import type { UnitOfWork } from '../../contract/memory.js'
import type { Repositories } from '../../contract/repositories.js'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.js'
import type { Document, MemoryEntry } from '../../model/records.js'
import type { ItemOf } from '../types.js'
import { difference, patchOf } from './compare.js'
import { indexOf, type Target } from './target.js'

type SingleItem = ItemOf<'user'> | ItemOf<'session'>
type GroupedItem = ItemOf<'memory'> | ItemOf<'document'>

/** What to do with a record of which the store may have one already. */
interface Steps {
  readonly stored: (reads: Repositories) => Promise<object | null>
  readonly create: (unit: UnitOfWork) => Promise<unknown>
  readonly update: (unit: UnitOfWork) => Promise<unknown>
}

/** A user, with what the file says of them. */
export const writeUser = (target: Target, item: ItemOf<'user'>): Promise<void> =>
  writeOne(target, item, {
    stored: (reads) => reads.users.get(item.input.id),
    create: (unit) => unit.users.create(item.input),
    update: (unit) => unit.users.update(item.input.id, patchOf('user', item.input)),
  })

/** A session; one that had ended is ended again, now. */
export const writeSession = (target: Target, item: ItemOf<'session'>): Promise<void> =>
  writeOne(target, item, {
    stored: (reads) => reads.sessions.get(item.input.id),
    create: async (unit) => {
      await unit.sessions.create(item.input)
      if (item.ended) await unit.sessions.end(item.input.id)
    },
    update: async (unit) => {
      await unit.sessions.update(item.input.id, patchOf('session', item.input))
      if (item.ended) await unit.sessions.end(item.input.id)
    },
  })

async function writeOne(target: Target, item: SingleItem, steps: Steps): Promise<void> {
  try {
    const problem = target.options.dryRun ? target.problem(item) : null
    if (problem) throw problem
    const stored = target.reads ? await steps.stored(target.reads) : null
    if (!stored) {
      await target.write(steps.create)
      return target.tally.count(item.kind, 'imported')
    }
    const field = differs(item, stored)
    if (field === null) return target.tally.count(item.kind, 'unchanged')
    if (!target.options.overwrite || field === 'userId') return differing(target, item, field)
    await target.write(steps.update)
    target.tally.count(item.kind, 'overwritten')
  } catch (error) {
    target.refuseFor(item, error)
  }
}

const differing = (target: Target, item: SingleItem | GroupedItem, field: string): void =>
  target.conflict(
    item,
    field,
    field === 'userId'
      ? `the ${item.kind} exists and belongs to another user`
      : `differs from the stored ${item.kind} (--overwrite replaces it)`,
  )

function differs(item: SingleItem | GroupedItem, stored: object): string | null {
  if ('userId' in stored && 'userId' in item.input && stored.userId !== item.input.userId) return 'userId'
  const ended = 'endedAt' in stored && stored.endedAt !== null
  if (item.kind === 'session' && ended !== item.ended) return 'endedAt'
  return difference(item.kind, stored, item.input)
}

/** Memories: taken to be new until the store says otherwise. */
export async function writeMemories(target: Target, items: readonly ItemOf<'memory'>[]): Promise<void> {
  const put = (rest: readonly ItemOf<'memory'>[]) =>
    target.write((unit) => unit.memories.addMany(rest.map((i) => i.input)))
  const { fresh, replacing } = await sorted(target, items, (reads, item) => reads.memories.get(item.input.id), put)
  await putGroup(target, fresh, 'imported', put)
  for (const item of replacing)
    try {
      await target.write((unit) => unit.memories.update(item.input.id, patchOf('memory', item.input)))
      target.tally.count('memory', 'overwritten')
    } catch (error) {
      target.refuseFor(item, error)
    }
}

/** Documents: an upsert would replace without a word, so each is looked for first. */
export async function writeDocuments(target: Target, items: readonly ItemOf<'document'>[]): Promise<void> {
  const { fresh, replacing } = await sorted(target, items, (reads, { input }) =>
    reads.documents.get(input.namespace, input.id),
  )
  const put = (rest: readonly ItemOf<'document'>[]) =>
    target.write((unit) => unit.documents.upsert(rest.map((i) => i.input)))
  await putGroup(target, fresh, 'imported', put)
  await putGroup(target, replacing, 'overwritten', put)
}

const keyOf = (item: GroupedItem): string =>
  JSON.stringify(item.kind === 'document' ? [item.input.namespace, item.input.id] : [item.input.id])

/** Sorts records into those that are missing and those to be replaced; the others are counted. */
async function sorted<I extends GroupedItem>(
  target: Target,
  items: readonly I[],
  get: (reads: Repositories, item: I) => Promise<MemoryEntry | Document | null>,
  optimistic?: (items: readonly I[]) => Promise<unknown>,
): Promise<{ fresh: I[]; replacing: I[] }> {
  if (optimistic && !target.options.dryRun)
    try {
      await optimistic(items)
      if (items[0]) target.tally.count(items[0].kind, 'imported', items.length)
      return { fresh: [], replacing: [] }
    } catch (error) {
      if (!isAboutRecord(error)) throw error
    }
  const fresh = new Map<string, I>()
  const replacing: I[] = []
  for (const item of items)
    try {
      const problem = target.problem(item)
      if (problem) throw problem
      const earlier = fresh.get(keyOf(item))
      const stored = earlier ? { ...item.input, ...earlier.input } : target.reads ? await get(target.reads, item) : null
      const field = stored && differs(item, stored)
      if (!stored) fresh.set(keyOf(item), item)
      else if (field === null) target.tally.count(item.kind, 'unchanged')
      else if (target.options.overwrite && field !== 'userId' && !earlier) replacing.push(item)
      else differing(target, item, field)
    } catch (error) {
      target.refuseFor(item, error)
    }
  return { fresh: [...fresh.values()], replacing }
}

const isAboutRecord = (error: unknown): boolean =>
  error instanceof ConflictError || error instanceof ValidationError || error instanceof NotFoundError

async function putGroup<I extends GroupedItem>(
  target: Target,
  items: readonly I[],
  outcome: 'imported' | 'overwritten',
  put: (items: readonly I[]) => Promise<unknown>,
): Promise<void> {
  let rest = [...items]
  while (rest[0]) {
    try {
      await put(rest)
      return target.tally.count(rest[0].kind, outcome, rest.length)
    } catch (error) {
      if (!isAboutRecord(error)) throw error
      const index = error instanceof ValidationError ? indexOf(error) : null
      const item = rest.length === 1 ? rest[0] : index === null ? undefined : rest[index]
      // Which one it is about is not said: each is tried alone.
      if (!item) {
        for (const one of rest) await putGroup(target, [one], outcome, put)
        return
      }
      target.refuseFor(item, error)
      rest = rest.filter((other) => other !== item)
    }
  }
}
