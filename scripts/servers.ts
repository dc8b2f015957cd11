import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { type RunningServers, type ServerName, serverNames, startServers } from '../test/ground/index.js'

const USAGE = `Starts real servers on free ports of 127.0.0.1, with temporary folders, for tests and for trying things out.

  npm run servers -- [--json] [name…] [-- command [argument…]]

Names: ${serverNames.join(', ')}; all of them where none is given. The URLs are printed, as shell exports or as JSON, and
the servers run until Ctrl-C. With a command, it runs with the URLs in its environment; then the servers stop, and the
exit code is the command's. A server whose variable (POSTGRESQL_URL, REDIS_URL, CHROMA_URL, QDRANT_URL) is set is not started.
`
const USAGE_ERROR = 2
const INTERRUPTED = 130
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 1
})

async function main(argv: string[]): Promise<number> {
  const end = argv.indexOf('--')
  const own = end === -1 ? argv : argv.slice(0, end)
  const command = end === -1 ? [] : argv.slice(end + 1)
  const wish = read(own)
  if (typeof wish === 'string') {
    console.error(wish)
    return USAGE_ERROR
  }
  if (wish.help) {
    process.stdout.write(USAGE)
    return 0
  }
  // Listened to before the start: a Ctrl-C during it must also end in an orderly stop.
  const ending = endingSignal()
  const running = wish.names.length === 0 ? await startServers() : await startServers(wish.names)
  try {
    if (ending.aborted) return INTERRUPTED
    if (command.length > 0) return await runCommand(command, running, ending)
    print(running, wish.json)
    await untilAborted(ending)
    return 0
  } finally {
    await running.stop()
  }
}

interface Wish {
  readonly help: boolean
  readonly json: boolean
  readonly names: readonly ServerName[]
}

/** The arguments, or what is wrong with them. */
function read(args: string[]): Wish | string {
  try {
    const options = { help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } } as const
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options })
    const unknown = positionals.find((name) => !isServerName(name))
    if (unknown !== undefined) return `unknown server "${unknown}"; known are ${serverNames.join(', ')}`
    return { help: values.help === true, json: values.json === true, names: positionals.filter(isServerName) }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function isServerName(name: string): name is ServerName {
  return (serverNames as readonly string[]).includes(name)
}

function print({ urls }: RunningServers, json: boolean): void {
  if (json) console.log(JSON.stringify(urls))
  else for (const [name, url] of Object.entries(urls)) console.log(`export ${name}=${quoted(url)}`)
}

function quoted(value: string): string {
  return /^[\w:/.@%+=-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
}

function endingSignal(): AbortSignal {
  const ending = new AbortController()
  for (const signal of ENDING_SIGNALS) process.on(signal, () => ending.abort(signal))
  return ending.signal
}

function untilAborted(ending: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // A waiting promise alone does not keep the process alive.
    const alive = setInterval(() => {}, 2 ** 30)
    ending.addEventListener('abort', () => {
      clearInterval(alive)
      resolve()
    })
  })
}

function runCommand(command: string[], running: RunningServers, ending: AbortSignal): Promise<number> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...running.urls } })
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
    ending.addEventListener('abort', () => {
      // The terminal sends Ctrl-C to the command by itself.
      if (ending.reason !== 'SIGINT') child.kill(ending.reason as NodeJS.Signals)
    })
  })
}
