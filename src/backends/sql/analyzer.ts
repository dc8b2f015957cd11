import { sql } from 'drizzle-orm/sql/sql'
import type { Filter } from '../../contract/filter.js'
import { ConfigurationError } from '../../errors.js'
import { type Analyzer, type AnalyzerRecord, mergeTerms, type QueryTerm } from '../../search/analyzer.js'
import { now, type SqlContext, type SqlStoreContext, tenantIs } from './context.js'
import { perEngine, type SqlEngine, type SqlRunner, type SqlSession } from './engine.js'
import { list, value } from './statement.js'
import { insertInto } from './write.js'

const KEYS = [
  'id',
  'stemmer',
  'stemmerVersion',
  'language',
  'cjk',
  'createdAt',
  'updatedAt',
  'version',
  'revision',
] as const
const ID = 'default'
/** The rows of further languages: conversations name them. */
const idOf = (language: string): string => `language:${language}`

const statements = perEngine((engine) => {
  const { analyzers: t, conversations: c } = engine.tables
  const selection = { stemmer: t.stemmer, stemmerVersion: t.stemmerVersion, language: t.language, cjk: t.cjk }
  return {
    languages: engine.statement(
      { id: t.id, language: t.language, stemmerVersion: t.stemmerVersion },
      () => sql`select ${t.id}, ${t.language}, ${t.stemmerVersion} from ${t} where ${t.id} <> ${value('id')}`,
    ),
    ofConversation: engine.statement(
      { language: c.language },
      () => sql`select ${c.language} from ${c} where ${tenantIs(c.tenantId)} and ${c.id} = ${value('conversationId')}`,
    ),
    get: engine.statement(selection, () => sql`select ${list(selection)} from ${t} where ${t.id} = ${value('id')}`),
    insert: engine.command(() => sql`${insertInto(engine, 'analyzers', KEYS)} on conflict (id) do nothing`),
    replace: engine.command(
      () => sql`${insertInto(engine, 'analyzers', KEYS)} on conflict (id) do update set stemmer = excluded.stemmer,
        stemmer_version = excluded.stemmer_version, language = excluded.language, cjk = excluded.cjk,
        updated_at = excluded.updated_at, version = ${t.version} + 1, revision = excluded.revision`,
    ),
    forgetLanguages: engine.command(() => sql`delete from ${t} where ${t.id} <> ${value('id')}`),
  }
})

const describe = (record: AnalyzerRecord): string =>
  `language ${record.language}, ${record.stemmer} ${record.stemmerVersion}, CJK ${record.cjk}`

/**
 * Records the analyzer of a new store, and refuses one that was indexed by another: words would silently no longer be
 * found.
 */
export async function checkAnalyzer(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
  const { get, insert } = statements(store.engine)
  const { record } = store.analyzer
  const read = () => runner.read(async (session) => (await session.all(get, { id: ID }))[0])
  let stored = await read()
  if (!stored) {
    const at = now(store)
    await runner.write(async (session) =>
      session.run(insert, { id: ID, ...record, createdAt: at, updatedAt: at, version: 1 }),
    )
    stored = await read()
  }
  if (!stored || (Object.keys(record) as (keyof AnalyzerRecord)[]).every((key) => record[key] === stored[key])) {
    await checkLanguages(store, runner)
    return
  }
  const way =
    stored.language === record.language
      ? 'index it again with `bruno-memory reindex`'
      : stored.language === 'none'
        ? 'open it with enableFts: false, or index it with `bruno-memory reindex`'
        : `open it with language: '${stored.language}', or index it again with \`bruno-memory reindex --language ${record.language}\``
  throw new ConfigurationError(
    `this store was indexed with another analyzer (${describe(stored)}; here: ${describe(record)}): ${way}`,
  )
}

/** The same for the languages that conversations name. */
async function checkLanguages(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
  const { languages } = statements(store.engine)
  for (const row of await runner.read(async (session) => session.all(languages, { id: ID }))) {
    const { record } = await store.analyzers.of(row.language)
    if (record.language === row.language && record.stemmerVersion !== row.stemmerVersion)
      throw new ConfigurationError(
        `conversations in ${row.language} were indexed with another analyzer: index them again with \`bruno-memory reindex\``,
      )
  }
}

/** The analyzer of a conversation's language, which is on record from then on. */
export async function useLanguage(
  context: SqlContext,
  session: SqlSession,
  language: string | null,
): Promise<Analyzer> {
  const analyzer = await context.analyzers.of(language)
  if (language === null || analyzer === context.analyzer) return analyzer
  const at = now(context)
  const values = { id: idOf(language), ...analyzer.record, createdAt: at, updatedAt: at, version: 1 }
  await session.run(statements(context.engine).insert, values)
  return analyzer
}

/** The analyzer that a store was indexed with; null where none is on record. */
export async function recordedAnalyzer(engine: SqlEngine, session: SqlSession): Promise<AnalyzerRecord | null> {
  return (await session.all(statements(engine).get, { id: ID }))[0] ?? null
}

/** Puts the analyzer on record, whatever is there; with a language, as that of the conversations which name it. */
export async function replaceAnalyzer(
  engine: SqlEngine,
  session: SqlSession,
  record: AnalyzerRecord,
  at: Date,
  language?: string,
): Promise<void> {
  const id = language === undefined ? ID : idOf(language)
  await session.run(statements(engine).replace, { id, ...record, createdAt: at, updatedAt: at, version: 1 })
}

/** Takes the analyzers of all languages but the store's own off the record. */
export async function forgetLanguages(engine: SqlEngine, session: SqlSession): Promise<void> {
  await session.run(statements(engine).forgetLanguages, { id: ID })
}

/** The terms of a question, in the language of the conversation that is asked, or in all that are in use. */
export async function queryTerms(
  context: SqlContext,
  session: SqlSession,
  text: string,
  { conversationId }: Filter,
): Promise<readonly QueryTerm[]> {
  const { languages, ofConversation } = statements(context.engine)
  const own = context.analyzer.queryTerms(text)
  const others = await session.all(languages, { id: ID })
  if (others.length === 0) return own
  const asked =
    conversationId === undefined
      ? null
      : (await session.all(ofConversation, { tenantId: context.tenantId, conversationId }))[0]
  // Memories that name the conversation are in the store's own language.
  const names = asked ? [asked.language] : others.map((row) => row.language)
  const lists = [own]
  for (const name of names) if (name !== null) lists.push((await context.analyzers.of(name)).queryTerms(text))
  return mergeTerms(lists)
}
