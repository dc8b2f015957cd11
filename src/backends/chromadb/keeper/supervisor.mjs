import { setTimeout as sleep } from 'node:timers/promises'
import { isFree } from './ports.mjs'
import { Server } from './server.mjs'

/** So often may the server end by itself within that time before it is given up. */
const ENDS = 5
const WITHIN_MS = 60_000
const FIRST_PAUSE_MS = 50

/**
 * Keeps one server running on the folder: the first of the programs that works, on a port that is free, again when it
 * ends by itself, at most a few times a minute.
 */
export class Supervisor {
  #folder
  #programs
  #hooks
  #server
  #stopping = false
  #unusable = []
  #ends = []

  /**
   * `claim` gives a free port, the earlier one where it can be had; `news` tells users how the server is doing; `began`
   * hears of each process before it can have written.
   */
  constructor(folder, programs, hooks) {
    this.#folder = folder
    this.#programs = [...programs]
    this.#hooks = hooks
  }

  /** `stopped`, or `failed` when the server has been given up, which users have been told then. */
  async run(port) {
    this.#stopping = false
    while (!this.#stopping) {
      this.#hooks.news({ state: 'starting' })
      port = await this.#hooks.claim(port)
      if (this.#stopping) break
      const failure = await this.#runOnce(port)
      if (!failure || this.#stopping) continue
      this.#hooks.news({ state: 'failed', ...failure })
      return 'failed'
    }
    return 'stopped'
  }

  async stop() {
    this.#stopping = true
    // Who comes now must not be sent to a server that is about to end.
    this.#hooks.news({ state: 'starting' })
    await this.#server?.stop()
  }

  /** What makes another attempt useless, or nothing. */
  async #runOnce(port) {
    const program = this.#programs[0]
    const server = new Server(this.#folder, port, program)
    this.#server = server
    this.#hooks.began(server)
    const outcome = await server.ready()
    // The others were only for the case that this one does not run.
    if (outcome === 'ready') this.#programs.length = 1
    if (outcome === 'ready' && !this.#stopping) this.#hooks.news({ state: 'ready', port })
    await server.exit
    this.#server = undefined
    if (outcome !== 'unusable') return this.#ended(server, program)
    this.#unusable.push({ name: program.name, output: server.output })
    this.#programs.shift()
    return this.#programs.length > 0 ? undefined : { reason: 'unusable', programs: this.#unusable }
  }

  async #ended(server, program) {
    const now = Date.now()
    this.#ends = [...this.#ends.filter((at) => now - at < WITHIN_MS), now]
    const ended = { reason: 'ended', programs: [...this.#unusable, { name: program.name, output: server.output }] }
    // A program that could not have worked at all, but runs long enough to say why.
    if (/GLIBC_[\d.]+'? not found/.test(server.output)) return { ...ended, reason: 'unusable' }
    if (this.#ends.length >= ENDS) return ended
    // A port that somebody else has taken meanwhile is no fault of the server's: another one is tried at once.
    if (await isFree(server.port)) await sleep(FIRST_PAUSE_MS * 2 ** this.#ends.length)
  }
}
