import { Command, CommanderError } from 'commander'
import { BrunoMemoryError } from '../errors.js'
import { concealing } from './conceal.js'
import { register as context } from './context.js'
import { register as doctor } from './doctor.js'
import { register as erase } from './erase.js'
import { register as exportArchive } from './export.js'
import { register as importFiles } from './import.js'
import { type CliIo, line } from './io.js'
import { register as migrate } from './migrate.js'
import { register as reembed } from './reembed.js'
import { register as reindex } from './reindex.js'
import { register as retention } from './retention.js'
import { register as search } from './search.js'
import { register as settle } from './settle.js'
import { register as stats } from './stats.js'
import { register as transfer } from './transfer.js'
import { register as verify } from './verify.js'

/** Each command registers itself: one file per command. */
const commands: readonly ((program: Command, io: CliIo) => void)[] = [
  importFiles,
  exportArchive,
  search,
  context,
  stats,
  migrate,
  reindex,
  reembed,
  transfer,
  settle,
  verify,
  erase,
  retention,
  doctor,
]

export function buildProgram(io: CliIo, version: string, conceal = (text: string) => text): Command {
  const program = new Command('bruno-memory')
    .description('Memory for AI assistants: migrate, import, export, search and look after a store.')
    .version(version)
    .showHelpAfterError('(add --help for the options)')
    .exitOverride()
    .configureOutput({ writeOut: (s) => io.stdout.write(s), writeErr: (s) => io.stderr.write(conceal(s)) })
  for (const register of commands) register(program, io)
  return program
}

/** Runs one command line. Errors become one line on standard error and a non-zero exit code, never a stack. */
export async function run(argv: readonly string[], io: CliIo, version: string): Promise<void> {
  const conceal = concealing([
    ...argv,
    io.env.BRUNO_MEMORY_URL,
    io.env.DATABASE_URL,
    io.env.BRUNO_MEMORY_SEMANTIC_URL,
    io.env.BRUNO_MEMORY_CACHE_URL,
    io.env.BRUNO_MEMORY_MOVING_TO,
  ])
  try {
    await buildProgram(io, version, conceal).parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return io.setExitCode(error.exitCode === 0 ? 0 : 2)
    const message =
      error instanceof BrunoMemoryError ? `error (${error.code}): ${error.message}` : `error: ${String(error)}`
    line(io.stderr, conceal(message))
    io.setExitCode(error instanceof BrunoMemoryError && ['validation', 'configuration'].includes(error.code) ? 2 : 1)
  }
}
