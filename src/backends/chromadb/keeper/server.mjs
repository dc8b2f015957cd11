import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { LOOPBACK } from './ports.mjs'
import { endGroup, groupListens } from './processes.mjs'
import { UNUSABLE } from './run.mjs'

const READY_MS = 60_000
const STOP_MS = 4_000
const OUTPUT_CHARACTERS = 4_000

/** One run of Chroma's server, in a process group of its own. */
export class Server {
  #child
  #output = ''
  #exit

  constructor(folder, port, program) {
    this.port = port
    this.#child = spawn(process.execPath, [process.argv[1], 'run', folder, String(port), program.kind, program.path], {
      cwd: folder,
      detached: true,
      // The server ends when the first of these does: it must be held open, and by nobody else.
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      env: { ...process.env, ANONYMIZED_TELEMETRY: 'False' },
    })
    this.#child.stdin.on('error', () => {})
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS)
      })
    this.#exit = this.#untilGone()
  }

  get group() {
    return this.#child.pid
  }

  get output() {
    return this.#output
  }

  /** Resolves with the exit code when the server and all that it has started are gone. */
  get exit() {
    return this.#exit
  }

  /** `ready`, `unusable` when the program cannot be run at all, or `ended`. */
  async ready() {
    const exit = this.#exit.then((code) => (code === UNUSABLE ? 'unusable' : 'ended'))
    const stop = new AbortController()
    try {
      return await Promise.race([exit, this.#answering(stop.signal)])
    } finally {
      stop.abort()
    }
  }

  async stop() {
    this.#child.stdin.end()
    const timer = setTimeout(() => void endGroup(this.group), STOP_MS)
    await this.#exit
    clearTimeout(timer)
  }

  async #untilGone() {
    const [code] = await once(this.#child, 'exit')
    // Whoever stood over the server may have been killed before it.
    await endGroup(this.group)
    return code
  }

  async #answering(signal) {
    const deadline = Date.now() + READY_MS
    for (let pause = 20; !signal.aborted; pause = Math.min(pause * 1.5, 250)) {
      if (await answers(this.port)) if (await groupListens(this.group, this.port)) return 'ready'
      if (Date.now() > deadline) {
        await endGroup(this.group)
        return 'ended'
      }
      await sleep(pause)
    }
  }
}

async function answers(port) {
  try {
    const response = await fetch(`http://${LOOPBACK}:${port}/api/v2/heartbeat`, { signal: AbortSignal.timeout(2_000) })
    return response.ok && 'nanosecond heartbeat' in (await response.json())
  } catch {
    return false
  }
}
