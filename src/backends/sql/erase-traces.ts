import type { ErasureSubject } from '../../contract/erase.js'
import {
  countEntry,
  type Holders,
  holdersIn,
  idsIn,
  type JournalTraces,
  keysIn,
  keysOfIds,
  namesErased,
  noTraces,
  type TraceKey,
  traceName,
} from '../../repository/erased-traces.js'
import type { SqlContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import { eraseStatements } from './erase-statements.js'

/** Rows whose traces are looked through at a time. */
const PAGE = 500
const HELD = ['conversation', 'session', 'memory'] as const

async function holdersOf(context: SqlContext, session: SqlSession, keys: readonly TraceKey[]): Promise<Holders> {
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
    for (const { id, userId } of await session.all(s.holders[kind], values)) holders.set(traceName(kind, id), userId)
  }
  const users = ids('user')
  if (users.length > 0)
    for (const { id } of await session.all(s.knownUsers, { tenantId, ids: engine.conditions.texts(users) }))
      holders.set(traceName('user', id), id)
  const documents = keys.filter(({ kind, key }) => kind === 'document' && key.length === 2)
  if (documents.length > 0) {
    const values = { tenantId, keys: engine.conditions.encodeRows(documents.map(({ key }) => [...key])) }
    for (const { namespace, id } of await session.all(s.knownDocuments, values))
      holders.set(traceName('document', namespace, id), '')
  }
  return holdersIn(holders)
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
    const holders = await look((session) =>
      holdersOf(
        context,
        session,
        page.flatMap(({ records }) => keysIn(records)),
      ),
    )
    const theirs = page.filter(({ records }) => namesErased(holders, userId, keysIn(records)))
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

/** Entries of the journal, which has what was written while this store stood in for another one. */
export async function eraseJournal(
  context: SqlContext,
  { userId }: ErasureSubject,
  remove: boolean,
): Promise<JournalTraces> {
  const { engine, tenantId, runner } = context
  const s = eraseStatements(engine)
  const look = runner.current ?? runner.read
  const traces = noTraces()
  for (let after = 0; ; ) {
    const page = await look(async (session) => session.all(s.journal, { tenantId, after, limit: PAGE }))
    const going = userId === undefined ? page.map(({ seq }) => seq) : []
    if (userId === undefined) {
      traces.found += page.length
      traces.going += page.length
    } else
      for (const { seq, state, what } of page) {
        const ids = idsIn(what)
        const holders = await look((session) => holdersOf(context, session, keysOfIds(ids)))
        if (countEntry(traces, ids, holders, { userId, state })) going.push(seq)
      }
    if (remove && going.length > 0) await dropEntries(context, runner, going)
    if (page.length < PAGE) return traces
    after = page.at(-1)?.seq as number
  }
}

async function dropEntries({ engine, tenantId }: SqlContext, runner: SqlRunner, seqs: readonly number[]) {
  const values = { tenantId, seqs: engine.conditions.encodeRows(seqs.map((seq) => [seq])) }
  await runner.write(async (session) => session.run(eraseStatements(engine).dropEntries, values))
}
