import { type ChildProcess, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LogPart } from './log.js'
import type { Command } from './types.js'

const KEEPER = fileURLToPath(new URL('./keeper.mjs', import.meta.url))
const KEEPER_MS = 60_000

export interface RunPlan extends Command {
  /** Ends the program when this process is gone. */
  readonly orphanSignal: NodeJS.Signals
}

interface Message {
  readonly folder?: string
  readonly pid?: number
  readonly error?: string
  readonly exited?: number
}

/** A temporary folder and the programs that run in it, all of which end with this process, even by SIGKILL. */
export class Keeper {
  readonly #child: ChildProcess
  #folder = ''
  #run: Run | undefined
  #gone = false

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message: Message) => this.#heard(message))
    child.once('error', () => this.#lost())
    child.once('exit', () => this.#lost())
    // A program that forgets to stop its servers must still be able to end; the keeper stops them then.
    child.unref()
    child.channel?.unref()
  }

  /** `prefix` is the start of the folder's path. */
  static async start(prefix: string): Promise<Keeper> {
    const child = spawn(process.execPath, [KEEPER, prefix], {
      // Out of the terminal's process group: Ctrl-C reaches us first, and we end the servers in order.
      detached: true,
      env: inherited(),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const keeper = new Keeper(child)
    while (keeper.#folder === '' && !keeper.#gone) await sleep(5)
    if (keeper.#gone) throw new Error(`no temporary folder could be made at ${prefix}…`)
    return keeper
  }

  get folder(): string {
    return this.#folder
  }

  async run(plan: RunPlan): Promise<Run> {
    if (this.#gone) throw new Error(`the process that keeps ${this.#folder} has been killed`)
    const run = new Run((message) => this.#send(message), await LogPart.begin(this.#folder))
    this.#run = run
    this.#send({ run: { ...plan, env: environment(plan, this.#folder) } })
    await run.begun()
    if (run.pid === 0) throw new Error(`${plan.program} cannot be run: ${run.error}`)
    return run
  }

  /** Ends what still runs and removes the folder. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const deadline = Date.now() + KEEPER_MS
    while (!this.#gone && Date.now() < deadline) await sleep(5)
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  #send(message: object): void {
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  #heard({ folder, ...message }: Message): void {
    if (folder !== undefined) this.#folder = folder
    else this.#run?.heard(message)
  }

  #lost(): void {
    this.#gone = true
    if (this.#run === undefined || this.#run.exited) return
    // The keeper was killed before its server: nobody else would end it now.
    endByPid(this.#run.pid)
    this.#run.heard({ exited: 1 })
  }
}

/** One run of one program. */
export class Run {
  readonly #send: (message: object) => void
  readonly #log: LogPart
  #pid = 0
  #error = ''
  #code: number | null = null

  constructor(send: (message: object) => void, log: LogPart) {
    this.#send = send
    this.#log = log
  }

  get pid(): number {
    return this.#pid
  }

  get error(): string {
    return this.#error
  }

  get exited(): boolean {
    return this.#code !== null
  }

  /** Null while the program runs. */
  get exitCode(): number | null {
    return this.#code
  }

  async begun(): Promise<void> {
    while (this.#pid === 0 && !this.exited) await sleep(2)
  }

  /** Sends the signal and waits for the end; SIGKILL after `graceMs`. */
  async end(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    if (!this.exited) this.#send({ signal })
    if (await this.waitForExit(graceMs)) return
    this.#send({ signal: 'SIGKILL' })
    if (!(await this.waitForExit(graceMs))) throw new Error(`process ${this.pid} does not end on SIGKILL`)
  }

  async waitForExit(timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs
    while (!this.exited && Date.now() < deadline) await sleep(5)
    return this.exited
  }

  /** The last lines that this run has written. */
  logTail(): Promise<string> {
    return this.#log.tail()
  }

  heard({ pid, error, exited }: Message): void {
    this.#pid = pid ?? this.#pid
    this.#error = error ?? this.#error
    this.#code = exited ?? (error === undefined ? this.#code : 1)
  }
}

function endByPid(pid: number): void {
  try {
    if (pid > 0) process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already, which is what was wanted.
  }
}

// Only these: a developer's PGOPTIONS, QDRANT__… or NODE_OPTIONS must not change the servers under test.
function inherited(): Record<string, string> {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot']
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

function environment(plan: RunPlan, folder: string): Record<string, string> {
  return { ...inherited(), HOME: folder, TMPDIR: folder, LC_ALL: 'C', TZ: 'UTC', ...plan.env }
}
