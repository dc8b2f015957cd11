import { chown } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { externalServer } from './external.js'
import { Keeper, type Run } from './keeper.js'
import { freePort } from './ports.js'
import { type Command, type Engine, type Place, type Server, type StartOptions, urlVariables } from './types.js'
import { reachable, unprivilegedUser } from './user.js'

const START_MS = 60_000
const PREPARE_MS = 120_000
const STOP_MS = 15_000
const ADDRESS_IN_USE = /address (already )?in use|EADDRINUSE|is not available|could not bind/i

/** Starts one server in a fresh folder, or gives the one that its environment variable names. */
export async function startServer(engine: Engine, options: StartOptions = {}): Promise<Server> {
  const url = process.env[urlVariables[engine.name]]
  if (url && options.own !== true) return externalServer(engine, url)
  return startOwn(engine, options.settings)
}

/** Starts one server in a fresh folder, whatever the environment says. */
export async function startOwn<Name extends string>(
  engine: Engine<Name>,
  settings: Place['settings'] = {},
): Promise<Server<Name>> {
  try {
    return await OwnServer.start(engine, settings)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${engine.label} could not be started: ${reason}\n${engine.fix}`, { cause: error })
  }
}

class OwnServer<Name extends string> implements Server<Name> {
  readonly external = false
  readonly #engine: Engine<Name>
  readonly #keeper: Keeper
  #place: Place
  #run: Run | undefined
  #stopped = false

  private constructor(engine: Engine<Name>, keeper: Keeper, place: Place) {
    this.#engine = engine
    this.#keeper = keeper
    this.#place = place
  }

  static async start<Name extends string>(engine: Engine<Name>, settings: Place['settings']): Promise<OwnServer<Name>> {
    const keeper = await keepFolder()
    const server = new OwnServer(engine, keeper, { folder: keeper.folder, port: await freePort(), settings })
    try {
      await engine.prepare?.(server.#place, (command) => server.#runToEnd(command))
      await server.#launch(() => server.#movePort())
      return server
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  get name(): Name {
    return this.#engine.name
  }

  get url(): string {
    return this.#engine.url(this.#place)
  }

  get port(): number {
    return this.#place.port
  }

  get folder(): string {
    return this.#place.folder
  }

  get pid(): number {
    if (this.#run === undefined) throw new Error(`${this.#engine.label} has not been started`)
    return this.#run.pid
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    try {
      await this.#run?.end(this.#engine.stopSignal, STOP_MS)
      await this.#engine.sweep?.(this.#place)
    } finally {
      await this.#keeper.close()
    }
  }

  async kill(): Promise<void> {
    await this.#run?.end('SIGKILL', STOP_MS)
  }

  async shutdown(): Promise<void> {
    await this.#run?.end(this.#engine.stopSignal, STOP_MS)
  }

  async start(): Promise<void> {
    if (this.#stopped) throw new Error(`${this.#engine.label} has been stopped and its folder removed`)
    if (this.#run?.exited === false) throw new Error(`${this.#engine.label} runs already`)
    // Clients know the port: it is not given up, however long another program holds it.
    await this.#launch(async () => {})
  }

  async restart(): Promise<void> {
    await this.shutdown()
    await this.start()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #launch(onPortTaken: () => Promise<void>): Promise<void> {
    const deadline = Date.now() + START_MS
    for (;;) {
      const failure = await this.#attempt(deadline)
      if (failure === undefined) return
      const portTaken = ADDRESS_IN_USE.test(failure)
      const passing = portTaken || this.#engine.passing?.test(failure) === true
      if (!passing || Date.now() > deadline) throw new Error(failure)
      if (portTaken) await onPortTaken()
      await sleep(50)
    }
  }

  /** What went wrong, or undefined once the server answers. */
  async #attempt(deadline: number): Promise<string | undefined> {
    const run = await this.#begin(await this.#engine.command(this.#place))
    this.#run = run
    while (!run.exited && Date.now() < deadline) {
      if ((await this.#engine.ready(this.#place, run.pid)) && !run.exited) return undefined
      await sleep(15)
    }
    const verdict = run.exited ? `it ended with exit code ${run.exitCode}` : `it did not answer within ${START_MS} ms`
    await run.end('SIGKILL', STOP_MS)
    return `${verdict}; the end of its log:\n${await run.logTail()}`
  }

  async #runToEnd(command: Command): Promise<void> {
    const run = await this.#begin(command)
    await run.waitForExit(PREPARE_MS)
    if (run.exitCode === 0) return
    await run.end('SIGKILL', STOP_MS)
    throw new Error(`${command.program} failed; the end of its log:\n${await run.logTail()}`)
  }

  #begin(command: Command): Promise<Run> {
    return this.#keeper.run({ ...command, orphanSignal: this.#engine.orphanSignal })
  }

  async #movePort(): Promise<void> {
    this.#place = { ...this.#place, port: await freePort() }
  }
}

async function keepFolder(): Promise<Keeper> {
  const user = await unprivilegedUser()
  const systemWide = '/tmp'
  const base = user === undefined || (await reachable(join(tmpdir(), 'x'), user)) ? tmpdir() : systemWide
  const keeper = await Keeper.start(join(base, 'bruno-memory-server-'))
  // Root's servers that run as another user must get into the folder; for root itself the owner does not matter.
  if (user !== undefined) await chown(keeper.folder, user.uid, user.gid)
  return keeper
}
