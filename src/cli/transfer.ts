import type { Command } from 'commander'
import type { TransferEnd } from '../contract/transfer-plan.js'
import { ConfigurationError } from '../errors.js'
import { RECORD_KINDS } from '../model/records.js'
import { abandonTransfer } from '../run-transfer.js'
import { attach } from './attach.js'
import { INTERRUPTED } from './interrupt.js'
import { type CliIo, line, printJson } from './io.js'
import { embeddingsOf, embeddingsOption, findStore } from './open.js'
import { endsOf } from './transfer-ends.js'
import { online } from './transfer-online.js'
import { DIFFERENT, exitCodeOf, printReport, reportDocument } from './transfer-report.js'
import { type Options, optionsOf, refuse, transferring } from './transfer-run.js'

const help = `
Ends: sqlite:./memory.db or a path, postgres://…, redis://…, qdrant://…, chroma:…, archive:FILE. Nothing of the source is
changed. What the target holds stays; a record that is there already under the same key is compared, not overwritten.

The plan and what it costs are shown first; --dry-run ends there. Ctrl-C stops at a checkpoint, and so does a crash:
the same command with --resume goes on. Everything is compared in the end, field by field.

--attach semantic=URL (Qdrant, ChromaDB) or cache=URL (Redis) has a store follow a memory that is in use: it is told of
everything that is there, kept up from then on, and verified. It goes with --from, --embeddings, --dry-run, --no-verify,
--force and --json.

--online moves an SQLite file or a PostgreSQL database while it is written to: what is written meanwhile is noted and
brought over, both sides are compared and asked the same, and in a moment in which writers wait, the target takes the
source's place. Programs with BRUNO_MEMORY_MOVING_TO (movingTo) go on there; others are refused, and say where to go.
With --soak the old store is kept up, and --switch-back has it take its place again. Until the switch, --abandon with
--online leaves the source as it was.

Exit codes: 0 both sides are the same, 1 an error, 2 wrong usage, ${DIFFERENT} something differs or was not taken,
${INTERRUPTED} stopped by Ctrl-C.

Examples:
  bruno-memory transfer --from sqlite:./memory.db --to postgres://localhost/app
  bruno-memory transfer --from postgres://localhost/app --to archive:backup.bma
  bruno-memory transfer --online --from sqlite:./memory.db --to postgres://localhost/app --soak 600
  bruno-memory transfer --from postgres://localhost/app --attach semantic=qdrant://127.0.0.1:6333/app --embeddings offline`

const collect = (value: string, before: string[] = []): string[] => [...before, value]

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('transfer')
    .summary('move everything from one backend to another')
    .description(
      'Moves a memory from any backend to any backend that can hold it, and verifies that both are the same.',
    )
    .option('--from <url>', 'the source (default: BRUNO_MEMORY_URL, DATABASE_URL)')
    .option('--to <url>', 'the target; what is missing there is made')
    .option('--attach <name=url>', 'have a store follow the source; may be given twice', collect)
    .option('--online', 'move a memory that is in use: the target takes its place in the end')
    .option('--soak <seconds>', 'keep the old store up with the new one for so long after the switch')
    .option('--switch-back', 'have the old store take its place again, where it was kept up')
    .option('--dry-run', 'show the plan and what it costs, write nothing')
    .option('--verify-only', 'compare both sides, write nothing')
    .option('--no-verify', 'do not compare both sides in the end')
    .option('--resume', 'go on with a run that was stopped')
    .option('--force', 'take a job over from a run that seems alive; put an attached store in the place of another')
    .option('--abandon', 'give up a run that was stopped; what it wrote stays')
    .option('--merge', 'add to a target that holds records already; these stay as they are')
    .option('--tenant <id>', 'only this tenant (default: all)')
    .option('--kinds <a,b>', `only these kinds of records: ${RECORD_KINDS.join(', ')}`)
    .option('--allow-omit', 'leave out the kinds that the target cannot hold')
    .option('--reembed', 'make the vectors anew where the target has another model')
    .option(
      '--quarantine <file>',
      'write records that the target does not take to this file, readable by its owner alone',
    )
    .option('--quarantine-limit <n>', 'how many records may be put there before it ends (default: 0)')
    .option('--batch <n>', 'records of a batch')
    .option('--jobs <folder>', 'where jobs are kept of targets that keep none themselves (default: in the home folder)')
  embeddingsOption(command)
    .option('--json', 'print one JSON document')
    .addHelpText('after', help)
    .action((options: Options) => run(options, io))
}

/** Options that mean nothing where a follower is attached. */
const WITHOUT_ATTACH = [
  ['online', '--online'],
  ['soak', '--soak'],
  ['switchBack', '--switch-back'],
  ['to', '--to'],
  ['verifyOnly', '--verify-only'],
  ['resume', '--resume'],
  ['abandon', '--abandon'],
  ['merge', '--merge'],
  ['tenant', '--tenant'],
  ['kinds', '--kinds'],
  ['allowOmit', '--allow-omit'],
  ['reembed', '--reembed'],
  ['quarantine', '--quarantine'],
  ['quarantineLimit', '--quarantine-limit'],
  ['batch', '--batch'],
  ['jobs', '--jobs'],
] as const

async function run(options: Options, io: CliIo): Promise<void> {
  const from = options.from || io.env.BRUNO_MEMORY_URL || io.env.DATABASE_URL
  if (!from) throw new ConfigurationError('name the source with --from')
  const embeddings = embeddingsOf(options, io)
  if (!options.attach) return transferTo(from, options, embeddings, io)
  refuse(options, WITHOUT_ATTACH, '--attach')
  const { attach: given, dryRun = false, verify, force = false, json = false } = options
  await attach({ store: findStore({ url: from }, io), attach: given, embeddings, dryRun, verify, force, json }, io)
}

function checkTogether({ dryRun, verifyOnly, verify, resume }: Options): void {
  if (!verifyOnly) return
  for (const [given, flag] of [
    [dryRun, '--dry-run'],
    [resume, '--resume'],
    [!verify, '--no-verify'],
  ] as const)
    if (given) throw new ConfigurationError(`${flag} does not go with --verify-only`)
}

async function transferTo(from: string, options: Options, embeddings: string | undefined, io: CliIo): Promise<void> {
  checkTogether(options)
  if (!options.to) throw new ConfigurationError('name the target with --to, or a store that is to follow with --attach')
  const ends = await endsOf({ from, to: options.to }, embeddings, io)
  if (options.online || options.switchBack) return online(ends, options, io)
  if (options.soak !== undefined) throw new ConfigurationError('--soak goes with --online')
  if (options.abandon) return abandon(ends.to, options, io)
  const wanted = optionsOf(ends, options)
  const { report, outlook } = await transferring(wanted, io, options.json === true)
  const { dryRun = false, verifyOnly = false } = options
  if (options.json) printJson(io, reportDocument(report, outlook, dryRun))
  else printReport(io, report, { dryRun, verifyOnly, quarantineFile: options.quarantine })
  io.setExitCode(exitCodeOf(report))
}

async function abandon(to: TransferEnd, { json, jobs }: Options, io: CliIo): Promise<void> {
  await abandonTransfer(to, jobs)
  io.setExitCode(0)
  if (json) printJson(io, { abandoned: true })
  else line(io.stdout, 'given up: what it wrote stays, and the next transfer begins anew')
}
