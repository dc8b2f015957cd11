import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { TransferSide } from '../../contract/transfer.js'
import { ConfigurationError, MigrationError } from '../../errors.js'
import type { BundledMigration } from '../../migrate/bundle.js'
import { plan } from '../../migrate/plan.js'
import type { MigrationTarget } from '../../migrate/target.js'
import type { AnalyzerRecord } from '../../search/analyzer.js'
import { SqlSource, type TableReader } from './transfer-source.js'

/** How search text is made, to be compared. */
export const tablesOf = ({ language, stemmer, stemmerVersion, cjk }: AnalyzerRecord): string =>
  JSON.stringify([language, stemmer, stemmerVersion, cjk])

export interface OpenSource {
  readonly side: Pick<TransferSide, 'backend' | 'place'>
  readonly reader: TableReader
  readonly target: Pick<MigrationTarget, 'journal'>
  readonly known: readonly BundledMigration[]
}

/**
 * A source over tables of this schema or an older one.
 *
 * @throws MigrationError for a newer schema, ConfigurationError where there is no memory.
 */
export async function openSqlSource({ side, reader, target, known }: OpenSource): Promise<SqlSource> {
  const {
    applied,
    problems: [problem],
  } = plan(known, await target.journal())
  if (problem) throw new MigrationError(problem.message, problem.migration)
  const schema = applied.at(-1)?.tag ?? null
  if (schema === null) throw new ConfigurationError(`there is no memory at ${side.place}`)
  return new SqlSource({
    reader,
    side: { ...side, schema },
    space: await spaceOf(reader),
    tables: await analyzerOf(reader),
  })
}

export async function spaceOf(
  reader: Pick<TableReader, 'rows'>,
): Promise<(EmbeddingSpace & { readonly id: string }) | null> {
  const text = `select id, provider, model, dimensions, metric from bruno_spaces where state = 'active' order by created_at desc limit 1`
  const [row] = await reader.rows(text, [], ['key', 'text', 'text', 'integer', 'text'])
  if (!row) return null
  const [id, provider, model, dimensions, metric] = row as [string, string, string, number, EmbeddingSpace['metric']]
  return { id, provider, model, dimensions, metric }
}

async function analyzerOf(reader: TableReader): Promise<string> {
  const text = 'select id, language, stemmer, stemmer_version, cjk from bruno_analyzers order by id'
  const rows = (await reader.rows(text, [], ['key', 'text', 'text', 'text', 'text'])) as string[][]
  const own = rows.find(([id]) => id === 'default')
  if (!own) return ''
  const [, language = '', stemmer = '', stemmerVersion = '', cjk = ''] = own
  const further = rows.length > 1 ? ` and ${rows.length - 1} languages` : ''
  return tablesOf({ language, stemmer, stemmerVersion, cjk }) + further
}
