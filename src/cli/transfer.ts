import type { Command } from 'commander'
import { ConfigurationError } from '../errors.js'
import { attach, DIFFERENT } from './attach.js'
import { INTERRUPTED } from './interrupt.js'
import type { CliIo } from './io.js'
import { embeddingsOf, embeddingsOption, findStore } from './open.js'

interface Options {
  readonly from?: string
  readonly attach?: string[]
  readonly dryRun?: true
  readonly verify: boolean
  readonly force?: true
  readonly embeddings?: string
  readonly json?: true
}

const help = `
--attach semantic=URL (Qdrant, ChromaDB) or cache=URL (Redis) has a store follow a memory that is in use: what it costs is
told first, then the store is told of everything that is there, kept up from then on, and verified.

Exit codes: 0 the store has what the memory has, 1 an error, 2 wrong usage, ${DIFFERENT} something differs or was refused,
${INTERRUPTED} stopped by Ctrl-C.

Example:
  bruno-memory transfer --from postgres://localhost/app --attach semantic=qdrant://127.0.0.1:6333/app --embeddings offline`

const collect = (value: string, before: string[] = []): string[] => [...before, value]

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('transfer')
    .summary('give a memory in use a semantic store or a cache')
    .description('Has a semantic store or a cache follow a memory that is in use, and verifies that it has everything.')
    .option('--from <url>', 'the memory (default: BRUNO_MEMORY_URL, DATABASE_URL)')
    .option(
      '--attach <name=url>',
      'the store that is to follow: semantic=URL or cache=URL; may be given twice',
      collect,
    )
    .option('--dry-run', 'show what it costs, write nothing')
    .option('--no-verify', 'do not compare in the end')
    .option('--force', 'put the store in the place of another')
  embeddingsOption(command)
    .option('--json', 'print one JSON document')
    .addHelpText('after', help)
    .action((options: Options) => run(options, io))
}

async function run(options: Options, io: CliIo): Promise<void> {
  const from = options.from || io.env.BRUNO_MEMORY_URL || io.env.DATABASE_URL
  if (!from) throw new ConfigurationError('name the memory with --from')
  if (!options.attach) throw new ConfigurationError('name a store that is to follow with --attach')
  const { attach: given, dryRun = false, verify, force = false, json = false } = options
  const embeddings = embeddingsOf(options, io)
  await attach({ store: findStore({ url: from }, io), attach: given, embeddings, dryRun, verify, force, json }, io)
}
