import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrunoMemoryError, ClosedError, StorageError, TimeoutError } from '../../errors.js'
import type { LocalServer } from './local.js'
import { serverError } from './local-failure.js'
import { Line, LOOPBACK } from './local-line.js'
import { type KeeperProcess, type StartKeeper, startKeeper } from './local-start.js'
import { readKeeperState } from './local-state.js'

export interface SessionOptions extends StartKeeper {
  readonly startTimeout: number
}

const STEP_MS = 50
/** A keeper that found another one's lock is not started again at once. */
const AGAIN_MS = 250

/** One use of a folder: it joins the folder's keeper, or starts one, and does so again when the keeper dies. */
export class LocalSession implements LocalServer {
  readonly host = LOOPBACK
  readonly #options: SessionOptions
  #port = 0
  #line: Line | undefined
  /** The keeper that this session has started last; it may be another session's keeper that the folder has. */
  #own: KeeperProcess | undefined
  #attending: Promise<void> | undefined
  #closed = false

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get port(): number {
    return this.#port
  }

  ready(): Promise<void> {
    return awake(this.#answering())
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#line?.close()
  }

  async #answering(): Promise<void> {
    const deadline = performance.now() + this.#options.startTimeout
    for (;;) {
      await this.#attend()
      if ((await listens(this.#port)) || performance.now() > deadline) return
      // It died a moment ago, and the keeper has not said so yet.
      await pause(STEP_MS)
    }
  }

  #attend(): Promise<void> {
    this.#attending ??= this.#settle().finally(() => {
      this.#attending = undefined
    })
    return this.#attending
  }

  async #settle(): Promise<void> {
    const { folder, startTimeout } = this.#options
    const deadline = performance.now() + startTimeout
    let failure: BrunoMemoryError | undefined
    // What has become of an earlier one says nothing about the next.
    if (!this.#own?.running) this.#own = undefined
    while (performance.now() < deadline) {
      if (this.#closed) throw new ClosedError('the local server has been closed')
      const line = await this.#join()
      const news = line?.news
      if (news?.state === 'ready') return
      if (line && news?.state === 'starting') await line.change(deadline - performance.now())
      if (news?.state !== 'failed') continue
      failure = serverError(folder, news)
      // Another process's keeper may have been given a program that does not work; ours may have a better one.
      if (line?.keeper === this.#own?.pid) throw failure
      await line?.change(AGAIN_MS)
      await line?.close()
    }
    throw failure ?? (await this.#tooLate())
  }

  async #tooLate(): Promise<TimeoutError> {
    const { folder, startTimeout } = this.#options
    const state = this.#line?.news ? undefined : await readKeeperState(folder)
    const silent =
      state && `; process ${state.pid} holds the folder, or did, and does not answer: is it stopped, or in a container?`
    return new TimeoutError(`no server of ChromaDB came up on ${folder} within ${startTimeout} ms${silent ?? ''}`)
  }

  /** One step towards a keeper that answers: what there is, or a start and a pause. */
  async #join(): Promise<Line | undefined> {
    if (this.#line && !this.#line.ended) return this.#line
    const state = await readKeeperState(this.#options.folder)
    const line = state && (await Line.open(state))
    if (line) return this.#joined(line)
    await this.#start()
    return undefined
  }

  async #start(): Promise<void> {
    const own = this.#own
    if (own) await pause(own.running ? STEP_MS : AGAIN_MS)
    if (own?.failed !== undefined)
      throw new StorageError(`the server of ChromaDB cannot be started on ${this.#options.folder}: ${own.failed}`)
    if (!own?.running) this.#own = startKeeper(this.#options)
  }

  async #joined(line: Line): Promise<Line | undefined> {
    if (this.#closed) {
      await line.close()
      return undefined
    }
    this.#line = line
    const heard = (): void => {
      if (line.news?.state === 'ready') this.#port = line.news.port
      // In the background: a caller whose request fails asks with `ready`, and is told then what is wrong.
      if (line.ended && !this.#closed) this.#attend().catch(() => undefined)
    }
    line.listen(heard)
    heard()
    return line
  }
}

/** A pause that does not keep the process alive. */
const pause = (milliseconds: number): Promise<void> => sleep(milliseconds, undefined, { ref: false })

/** Keeps the process alive until the work has settled, whose timers and connections do not. */
async function awake<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 2 ** 30)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port })
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}
