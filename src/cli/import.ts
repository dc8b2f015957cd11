import { type Command, Option } from 'commander'
import type { Memory } from '../contract/memory.js'
import { ConfigurationError } from '../errors.js'
import { type ImportProgress, type ImportReport, runImport } from '../import/run.js'
import { openSource, type Source } from '../import/source.js'
import type { Finding } from '../import/tally.js'
import { IMPORT_FORMATS, type ImportFormat } from '../import/types.js'
import { Checks } from '../model/check.js'
import { checkId } from '../model/parse.js'
import { DEFAULT_LIMITS } from '../options.js'
import { number } from './format.js'
import { type ImportSummary, printReport, summaryOf } from './import-report.js'
import { INTERRUPTED, onInterrupt } from './interrupt.js'
import { type CliIo, line, printJson } from './io.js'
import { filesOf, findStore, hasMemory, openMemory, type Store, sameFile, storeOptions } from './open.js'
import { Progress } from './progress.js'
import { ReportFile } from './report-file.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly user: string
  readonly tenant?: string
  readonly format?: ImportFormat
  readonly overwrite?: true
  readonly hidden?: true
  readonly report?: string
  readonly dryRun?: true
  readonly json?: true
}

const help = `
Formats (found out from the file; --format overrides):
  chatgpt  conversations.json of a ChatGPT data export. The path that was on the screen becomes the conversation;
           other branches become conversations of their own, whose metadata.branch says where they leave it.
  jsonl    one message a line: {"conversationId", "role", "content", "id"?, "userId"?, "conversationTitle"?,
           "createdAt"?, "parentId"?, "name"?, "toolCallId"?, "parts"?, "type"?, "status"?, "metadata"?}
  archive  what \`bruno-memory export\` writes; it is checked as a whole before anything is imported.
  openai-agents
           the items of a session of the OpenAI Agents SDK, as session.getItems() gives them: one conversation with the
           name of the file. Items have no times of their own.
  mastra   the SQLite file of a Mastra LibSQL store: threads, messages, resources; working memory becomes memories.
  langgraph
           the SQLite file of a LangGraph checkpointer: of each thread, the messages of its last checkpoint, in JSON as
           LangGraph for Node writes it. Items of a store are documents.
  mem0     mem0's SQLite file of vectors, or its history file, which does not say whose a memory is (--user does).
Files but those of SQLite may be gzip-compressed. An SQLite file is only read, and as it stood at the beginning.

The same import run again changes nothing, and one that was stopped goes on where it ended. Ids and times are kept;
positions, versions and the time at which a session ended are given anew.

Exit codes: 0 all of it is in the memory, 1 something was refused, 2 wrong usage, ${INTERRUPTED} stopped by Ctrl-C.

Examples:
  bruno-memory import conversations.json --user ada
  bruno-memory import backup.bma --url sqlite:./restored.db
  bruno-memory import backup.bma --url postgres://localhost/app
  bruno-memory import mastra.db --url sqlite:./memory.db
  bruno-memory import checkpoints.db --user ada
  bruno-memory import ~/.mem0/vector_store.db
  bruno-memory import trip.json --format openai-agents --user ada
  bruno-memory import *.jsonl --dry-run --report problems.jsonl`

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('import')
    .summary('bring conversations in from files')
    .description(
      'Imports ChatGPT exports, sessions of agents, files of other memories, JSON Lines of messages and archives.',
    )
    .argument('<file...>', 'files to import')
  storeOptions(command)
    .option('--user <id>', 'whose conversations these are, where the file does not say', 'default')
    .option('--tenant <id>', 'the tenant to import into (default: "default"; of an archive: its own tenants)')
    .addOption(new Option('--format <name>', 'what the files are').choices(IMPORT_FORMATS))
    .option('--overwrite', 'replace records that exist with other content')
    .option('--hidden', "also import ChatGPT's hidden system prompts and custom instructions")
    .option('--report <file>', 'write every refused record to this file, as JSON Lines')
    .option('--dry-run', 'read and check everything, write nothing')
    .option('--json', 'print one JSON document')
    .addHelpText('after', help)
    .action((files: string[], options: Options) => importFiles(files, options, io))
}

const SHOWN = 20

async function importFiles(files: readonly string[], options: Options, io: CliIo): Promise<void> {
  checkId(options.user, '--user')
  if (options.tenant !== undefined) checkId(options.tenant, '--tenant')
  const sources: Source[] = []
  for (const file of files) sources.push(await openSource(file, options.format))
  const store = findStore(options, io)
  const { report } = options
  if (report !== undefined && [...files, ...filesOf(store)].some((file) => sameFile(file, report)))
    throw new ConfigurationError(`--report ${report} would overwrite the memory or a file to import`)
  if (filesOf(store).some((own) => files.some((file) => sameFile(file, own))))
    throw new ConfigurationError('the file to import and the memory are the same file')
  const absent = options.dryRun === true && !(await hasMemory(store))
  const memory = absent ? null : await openMemory(store, options, { create: options.dryRun !== true })
  try {
    const summary = await run(sources, memory, store, options, io)
    if (options.json) printJson(io, summary)
    else printReport(io, summary)
    io.setExitCode(exitCode(summary))
  } finally {
    await memory?.close()
  }
}

async function run(
  sources: readonly Source[],
  memory: Memory | null,
  store: Store,
  options: Options,
  io: CliIo,
): Promise<ImportSummary> {
  const started = Date.now()
  const findings: Finding[] = []
  const file = options.report === undefined ? null : new ReportFile(options.report)
  const progress = new Progress(io, 'bytes', options.json === true)
  const interrupt = onInterrupt(() => line(io.stderr, 'stopping after this batch (Ctrl-C again ends at once)'))
  let report: ImportReport
  try {
    report = await runImport({
      sources,
      memory: (tenant) => memory?.forTenant(tenant ?? options.tenant ?? 'default') ?? null,
      tenant: options.tenant,
      userId: options.user,
      checks: new Checks(DEFAULT_LIMITS),
      now: new Date(),
      overwrite: options.overwrite,
      dryRun: options.dryRun,
      includeHidden: options.hidden,
      signal: interrupt.signal,
      onFinding: (finding) => {
        if (findings.length < SHOWN) findings.push(finding)
        file?.write(finding)
      },
      onProgress: (p) => progress.update(p.bytes, p.totalBytes, detail(p)),
    })
  } finally {
    progress.stop()
    interrupt.dispose()
    file?.close()
  }
  return summaryOf(report, { sources, store, findings, seconds: (Date.now() - started) / 1000, options })
}

const detail = ({ phase, records }: ImportProgress): string =>
  phase === 'verify' ? 'checking the archive' : `${number(records)} records`

function exitCode({ error, interrupted, refused, conflicts, adjusted }: ImportSummary): number {
  if (error) return error.code === 'configuration' ? 2 : 1
  if (interrupted) return INTERRUPTED
  return refused + conflicts + adjusted > 0 ? 1 : 0
}
