import type { ErasureSubject } from '../../contract/erase.js'
import type { SqlContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import { eraseStatements } from './erase-statements.js'

/** Rows whose traces are looked through at a time. */
const PAGE = 500
/** The longest id, in UTF-8 bytes. */
const MAX_ID = 255

export type Key = { readonly kind: string; readonly key: readonly string[] }

/** Whose a record is, by kind and id; undefined where it is gone. */
type Holders = (kind: string, id: string, second?: string) => string | undefined

const HELD = ['conversation', 'session', 'memory'] as const
const isKey = (value: unknown): value is Key =>
  typeof (value as Key | null)?.kind === 'string' && Array.isArray((value as Key).key)

const nameOf = (kind: string, id: string, second = ''): string => JSON.stringify([kind, id, second])

async function holdersOf(context: SqlContext, session: SqlSession, keys: readonly Key[]): Promise<Holders> {
  const { engine, tenantId } = context
  const s = eraseStatements(engine)
  const holders = new Map<string, string>()
  const ids = (...kinds: string[]): string[] => [
    ...new Set(keys.filter(({ kind }) => kinds.includes(kind)).map(({ key }) => String(key[0]))),
  ]
  const wanted = {
    conversation: ids('conversation', 'message'),
    session: ids('session'),
    memory: ids('memory'),
  }
  for (const kind of HELD) {
    if (wanted[kind].length === 0) continue
    const values = { tenantId, ids: engine.conditions.texts(wanted[kind]) }
    for (const { id, userId } of await session.all(s.holders[kind], values)) holders.set(nameOf(kind, id), userId)
  }
  const users = ids('user')
  if (users.length > 0)
    for (const { id } of await session.all(s.knownUsers, { tenantId, ids: engine.conditions.texts(users) }))
      holders.set(nameOf('user', id), id)
  const documents = keys.filter(({ kind, key }) => kind === 'document' && key.length === 2)
  if (documents.length > 0) {
    const values = { tenantId, keys: engine.conditions.encodeRows(documents.map(({ key }) => [...key])) }
    for (const { namespace, id } of await session.all(s.knownDocuments, values))
      holders.set(nameOf('document', namespace, id), '')
  }
  return (kind, id, second) => holders.get(nameOf(kind === 'message' ? 'conversation' : kind, id, second))
}

/** Whether a key names a record of the user, or one that is gone and may have been. */
const namesErased = (holders: Holders, userId: string, { kind, key }: Key): boolean => {
  const [id = '', second = ''] = key.map(String)
  const holder = holders(kind, id, kind === 'document' ? second : undefined)
  return holder === undefined || holder === userId
}

export interface TracesOf {
  readonly rows: number
  readonly results: number
}

/**
 * Operations of a user: those that name a record of theirs, or one that is gone. What other operations answered, before
 * the erasure began, may repeat anything that their callers had read: it is forgotten, and a repetition answers which
 * records were written.
 */
export async function eraseOperations(
  context: SqlContext,
  userId: string,
  began: number,
  remove: boolean,
): Promise<TracesOf> {
  const { engine, tenantId, runner } = context
  const s = eraseStatements(engine)
  const look = runner.current ?? runner.read
  let [rows, results] = [0, 0]
  for (let after = ''; ; ) {
    const page = await look(async (session) => session.all(s.operations, { tenantId, after, limit: PAGE }))
    const keysOf = (row: (typeof page)[number]): Key[] => (row.records as unknown[]).filter(isKey)
    const holders = await look((session) => holdersOf(context, session, page.flatMap(keysOf)))
    const theirs = page.filter((row) => keysOf(row).some((key) => namesErased(holders, userId, key)))
    const answered = page.filter(
      (row) => row.hasResult > 0 && row.createdAt.getTime() <= began && !theirs.includes(row),
    )
    const named = (some: typeof page) => ({
      tenantId,
      ids: engine.conditions.texts(some.map(({ operationId }) => operationId)),
    })
    if (remove && theirs.length + answered.length > 0)
      await runner.write(async (session) => {
        if (theirs.length > 0) await session.run(s.dropOperations, named(theirs))
        if (answered.length > 0) await session.run(s.forgetResults, named(answered))
      })
    rows += theirs.length
    results += answered.length
    if (page.length < PAGE) return { rows, results }
    after = page.at(-1)?.operationId as string
  }
}

/** Every text in some JSON that can be an id. */
function idsIn(text: string): string[] {
  const found = new Set<string>()
  const walk = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value !== '' && Buffer.byteLength(value) <= MAX_ID) found.add(value)
    } else if (Array.isArray(value)) value.forEach(walk)
    else if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) walk(each)
  }
  try {
    walk(JSON.parse(text))
  } catch {
    // Nobody can read it: what it names is not known.
  }
  return [...found]
}

const entryKeys = (ids: readonly string[]): Key[] =>
  ids.flatMap((id) => ['user', ...HELD].map((kind) => ({ kind, key: [id] })))

/**
 * Entries of the journal, which has what was written while this store stood in for another one. An entry of a user that
 * another user's records need too, for it has not been handed back yet, stays: hand back first, then erase again.
 */
export async function eraseJournal(
  context: SqlContext,
  { userId }: ErasureSubject,
  remove: boolean,
): Promise<{ readonly found: number; readonly removed: number }> {
  const { engine, tenantId, runner } = context
  const s = eraseStatements(engine)
  const look = runner.current ?? runner.read
  let [found, removed] = [0, 0]
  for (let after = 0; ; ) {
    const page = await look(async (session) => session.all(s.journal, { tenantId, after, limit: PAGE }))
    const going = userId === undefined ? page.map(({ seq }) => seq) : []
    if (userId === undefined) found += page.length
    else
      for (const { seq, state, what } of page) {
        const ids = idsIn(what)
        const holders = await look((session) => holdersOf(context, session, entryKeys(ids)))
        const named = new Set(entryKeys(ids).map(({ kind, key }) => holders(kind, key[0] as string)))
        if (!named.has(userId) && !ids.includes(userId)) continue
        found++
        named.delete(undefined)
        named.delete(userId)
        if (named.size === 0 || !['waiting', 'done'].includes(state)) going.push(seq)
      }
    if (remove && going.length > 0) await dropEntries(context, runner, going)
    removed += going.length
    if (page.length < PAGE) return { found, removed }
    after = page.at(-1)?.seq as number
  }
}

async function dropEntries({ engine, tenantId }: SqlContext, runner: SqlRunner, seqs: readonly number[]) {
  const values = { tenantId, seqs: engine.conditions.encodeRows(seqs.map((seq) => [seq])) }
  await runner.write(async (session) => session.run(eraseStatements(engine).dropEntries, values))
}
