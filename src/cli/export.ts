import { PassThrough, type Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Command } from 'commander'
import { writeWholeFile } from '../archive/file.js'
import type { ArchiveEntry } from '../archive/record.js'
import { recordsOf, type SourceOptions } from '../archive/source.js'
import { type WriteReport, writeArchive } from '../archive/write.js'
import type { Memory } from '../contract/memory.js'
import { ConfigurationError, NotFoundError, StorageError } from '../errors.js'
import { checkId } from '../model/parse.js'
import { bytes, duration, number, plural } from './format.js'
import { INTERRUPTED, onInterrupt } from './interrupt.js'
import { type CliIo, line, printJson } from './io.js'
import { filesOf, findStore, sameFile, storeOptions, withMemory } from './open.js'
import { Progress } from './progress.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly tenant?: string[]
  readonly user?: string
  readonly expired?: true
  readonly force?: true
  readonly json?: true
}

const help = `
The archive is one gzip-compressed file of JSON Lines: a header, one line a record, and a manifest of counts and
digests by which \`import\` finds any change or loss. It appears under its name only when it is whole. It is read in
pages while the memory is in use: what is written meanwhile may or may not be in it.

"contentDigests" of the manifest stay equal when the archive is imported and exported again; "digests" cover positions
and versions too.

Examples:
  bruno-memory export backup.bma
  bruno-memory export - --user ada | gpg -e -r ada > ada.bma.gpg`

const collect = (value: string, before: string[] = []): string[] => [...before, value]

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('export')
    .summary('write everything to an archive')
    .description('Writes a tenant, or one user of it, to an archive.')
    .argument('<file>', 'the archive to write, or - for standard output')
  storeOptions(command)
    .option('--tenant <id>', 'the tenant to export; may be given several times (default: "default")', collect)
    .option('--user <id>', "only this user's records")
    .option('--expired', 'also records that have expired and are not purged yet')
    .option('--force', 'replace an existing file')
    .option('--json', 'print one JSON document')
    .addHelpText('after', help)
    .action((file: string, options: Options) => exportTo(file, options, io))
}

async function exportTo(file: string, options: Options, io: CliIo): Promise<void> {
  if (file === '-' && options.json)
    throw new ConfigurationError('--json and an archive cannot both go to standard output')
  if (file === '-' && io.stdout.isTTY)
    throw new ConfigurationError('an archive is no text for a terminal: name a file, or pipe it on')
  const tenants = options.tenant ? [...new Set(options.tenant)] : ['default']
  for (const tenant of tenants) checkId(tenant, '--tenant')
  if (options.user !== undefined) checkId(options.user, '--user')
  const store = findStore(options, io)
  if (file !== '-' && [file, `${file}.partial`].some((name) => filesOf(store).some((own) => sameFile(name, own))))
    throw new ConfigurationError(`${file} is the memory itself: name another file for the archive`)
  const interrupt = onInterrupt(() => line(io.stderr, 'stopping'))
  const started = Date.now()
  try {
    const report = await withMemory(store, options, (memory) =>
      write(memory, file, tenants, options, io, interrupt.signal),
    )
    // With `-` the archive itself is on standard output.
    const out = file === '-' ? io.stderr : io.stdout
    if (options.json)
      printJson(io, { file, memory: store.name, tenants, ...report, seconds: (Date.now() - started) / 1000 })
    else line(out, summary(file, report, Date.now() - started))
    io.setExitCode(0)
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    line(io.stderr, 'stopped: no archive was written')
    io.setExitCode(INTERRUPTED)
  } finally {
    interrupt.dispose()
  }
}

async function write(
  memory: Memory,
  file: string,
  tenants: readonly string[],
  options: Options,
  io: CliIo,
  signal: AbortSignal,
): Promise<WriteReport> {
  const source: SourceOptions = { userId: options.user, includeExpired: options.expired === true }
  let total = 0
  for (const tenant of tenants) total += await sizeOf(memory, tenant, options.user)
  const progress = new Progress(io, 'records', options.json === true)
  const { migrations } = await import('../migrate/bundled/sqlite.js')
  const header = {
    createdAt: new Date().toISOString(),
    schema: migrations.at(-1)?.tag ?? '',
    tenants,
    ...(options.user === undefined ? {} : { userId: options.user }),
    ...(options.expired ? { includeExpired: true } : {}),
  }
  const fill = (into: Writable): Promise<WriteReport> =>
    writeArchive(all(memory, tenants, source), into, {
      header,
      signal,
      onProgress: (records) => progress.update(records, Math.max(total, records), 'records'),
    })
  try {
    return file === '-' ? await toStdout(io, fill) : await writeWholeFile(file, options.force === true, fill)
  } finally {
    progress.stop()
  }
}

/** Standard output stays open: other things may still be printed. */
async function toStdout<T>(io: CliIo, fill: (into: Writable) => Promise<T>): Promise<T> {
  const through = new PassThrough()
  // `export - | head`: without a listener the error would end the process with a stack.
  const gone = (): void => {
    through.destroy(new StorageError('standard output was closed before the archive was whole'))
  }
  io.stdout.once('error', gone)
  through.pipe(io.stdout, { end: false })
  const [result] = await Promise.all([fill(through), finished(through)])
  io.stdout.off('error', gone)
  return result
}

async function sizeOf(memory: Memory, tenant: string, userId: string | undefined): Promise<number> {
  const scope = memory.forTenant(tenant)
  if (userId !== undefined && !(await scope.users.get(userId))) throw new NotFoundError('user')
  const s = await scope.statistics(userId === undefined ? {} : { userId })
  return s.users + s.conversations + s.messages + s.sessions + s.memories + (s.documents ?? 0)
}

async function* all(memory: Memory, tenants: readonly string[], source: SourceOptions): AsyncGenerator<ArchiveEntry> {
  for (const tenant of tenants) yield* recordsOf(memory.forTenant(tenant), source)
}

function summary(file: string, { manifest, bytes: size }: WriteReport, ms: number): string {
  const counts = Object.entries(manifest.counts).filter(([, n]) => n > 0)
  const what = counts.map(([kind, n]) => `${number(n)} ${n === 1 ? kind : plural(kind)}`).join(', ') || 'no records'
  return `exported ${what} to ${file === '-' ? 'standard output' : file} (${bytes(size)}) in ${duration(ms)}`
}
