import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { embeddingCache } from '../backend.js'
import type { EmbeddingCache } from '../contract/embedder.js'
import type { EraseReport, EraseStoreReport, ErasureSubject, VectorsByHash } from '../contract/erase.js'
import { ConfigurationError } from '../errors.js'
import { checkId } from '../model/parse.js'
import { sqlitePath } from '../registry.js'
import { number, printable, table } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import {
  embeddingsOf,
  embeddingsOption,
  findStore,
  followersOf,
  followersOptions,
  type StoreOptions,
  storeOptions,
  wholeNumber,
  withMemory,
} from './open.js'
import { Progress } from './progress.js'

interface Options extends StoreOptions {
  readonly tenant: string
  readonly user?: string
  readonly dryRun?: true
  readonly yes?: true
  readonly scrub: boolean
  readonly embeddingCache?: string
  readonly export?: string[]
  readonly wait: string
  readonly json?: true
  readonly report?: string
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('erase')
    .summary('erase a user or a whole tenant for good')
    .description(
      'Removes everything of a user, or of a tenant, from every store of a memory while it is in use, looks whether anything\n' +
        'is left, and removes what deletion leaves in files. Name the stores that follow the memory with --semantic and\n' +
        '--cache. Without --yes it only counts. Ended half-way, it goes on when it is run again.',
    )
    .requiredOption('--tenant <id>', 'the tenant')
  embeddingsOption(followersOptions(storeOptions(command)))
    .option('--user <id>', 'only this user of the tenant')
    .option('--dry-run', 'only count what there is')
    .option('--yes', 'really erase')
    .option('--no-scrub', 'leave in files what deletion leaves there')
    .option('--embedding-cache <url>', 'the cache of embeddings: sqlite:./cache.db or redis://…')
    .option('--export <file...>', 'an archive that is known of: the report says that it was not touched')
    .addOption(new Option('--wait <seconds>', 'how long stores and other readers are waited for').default('60'))
    .option('--report <file>', 'write the report, as JSON, to this file')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExit code 0: nothing is left; 1: something is, or --yes is missing.\n' +
        'Example:\n  bruno-memory erase --url postgres://… --tenant acme --user ada --yes --report erased.json',
    )
    .action((options: Options) => erase(options, io))
}

async function cacheOf({ embeddingCache: url }: Options): Promise<(EmbeddingCache & VectorsByHash) | null> {
  if (url === undefined) return null
  const path = sqlitePath(url)
  if (path && !existsSync(path)) throw new ConfigurationError(`--embedding-cache: there is no file ${path}`)
  return (await embeddingCache({ embeddingCache: url })) as EmbeddingCache & VectorsByHash
}

/** Before anything is erased: a report that cannot be written must not be missed afterwards. */
function checkReport(path: string | undefined): void {
  if (path === undefined) return
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch (error) {
    throw new ConfigurationError(`--report ${path} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}

async function erase(options: Options, io: CliIo): Promise<void> {
  const deadline = wholeNumber(options.wait, '--wait', 1, 86_400) * 1000
  checkId(options.tenant, '--tenant')
  if (options.user !== undefined) checkId(options.user, '--user')
  checkReport(options.report)
  const store = findStore(options, io)
  const embeddings = embeddingsOf(options, io)
  const cache = await cacheOf(options)
  const dryRun = options.dryRun === true || options.yes !== true
  const subject: ErasureSubject = {
    tenantId: options.tenant,
    ...(options.user !== undefined && { userId: options.user }),
  }
  const progress = new Progress(io, 'records', options.json === true)
  const opening = { ...options, ...(embeddings && { embeddings }), together: followersOf(options, io) }
  try {
    const report = await withMemory(store, opening, (memory) =>
      memory.erase(subject, {
        dryRun,
        scrub: options.scrub,
        deadline,
        exports: options.export ?? [],
        ...(cache && { embeddingCache: cache }),
        onProgress: ({ store: name, removed }) => progress.update(removed, removed, name),
      }),
    )
    progress.stop()
    if (options.report !== undefined) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`)
    if (options.json) printJson(io, report)
    else print(io, report)
    if (dryRun && !options.dryRun) line(io.stderr, 'nothing was erased: add --yes')
    const good = report.complete || (report.erased && !options.scrub)
    io.setExitCode(dryRun ? (options.dryRun ? 0 : 1) : good ? 0 : 1)
  } finally {
    progress.stop()
    await cache?.close()
  }
}

function printStore(io: CliIo, { store, parts, waiting, scrub, ages, error }: EraseStoreReport, dryRun: boolean): void {
  line(io.stdout, `${store}:`)
  if (error !== null) line(io.stdout, `  failed: ${printable(error)}`)
  const shown = (n: number | null): string => (n === null ? '-' : number(n))
  const head = dryRun ? ['', 'found'] : ['', 'found', 'removed', 'left']
  const rows = parts.map(({ what, found, removed, left }) =>
    dryRun ? [what, number(found)] : [what, number(found), number(removed), shown(left)],
  )
  if (rows.length > 0) line(io.stdout, table([head, ...rows]).replace(/^/gm, '  '))
  for (const { follower, records } of waiting)
    line(io.stdout, `  ${printable(follower)} still has to be told of ${number(records)} records`)
  for (const { what, done, reason } of scrub) line(io.stdout, `  ${what}: ${done ? 'done' : `not done: ${reason}`}`)
  for (const copies of dryRun ? [] : ages) line(io.stdout, `  ages out: ${copies}`)
}

function print(io: CliIo, report: EraseReport): void {
  for (const each of report.stores) printStore(io, each, report.dryRun)
  for (const { path } of report.exports) line(io.stdout, `not touched: ${printable(path)}`)
  for (const note of report.notes) line(io.stdout, `note: ${note}`)
  if (report.dryRun) return
  const files = report.scrubbed ? '' : ', but in files, which were not all written anew'
  line(io.stdout, report.erased ? `nothing is left${files}` : 'something is left: see above, and run it again')
}
