import { sql } from 'drizzle-orm/sql/sql'
import { ConfigurationError } from '../../errors.js'
import type { AnalyzerRecord } from '../../search/analyzer.js'
import { now, type SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner } from './engine.js'
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

const statements = perEngine((engine) => {
  const { analyzers: t } = engine.tables
  const selection = { stemmer: t.stemmer, stemmerVersion: t.stemmerVersion, language: t.language, cjk: t.cjk }
  return {
    get: engine.statement(selection, () => sql`select ${list(selection)} from ${t} where ${t.id} = ${value('id')}`),
    insert: engine.command(() => sql`${insertInto(engine, 'analyzers', KEYS)} on conflict (id) do nothing`),
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
  if (!stored || (Object.keys(record) as (keyof AnalyzerRecord)[]).every((key) => record[key] === stored[key])) return
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
