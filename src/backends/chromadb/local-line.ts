import { connect, type Socket } from 'node:net'
import type { Failure } from './local-failure.js'
import type { KeeperState } from './local-state.js'

export const LOOPBACK = '127.0.0.1'

/** What a keeper tells about its server. */
export type News =
  | { readonly state: 'starting' }
  | { readonly state: 'ready'; readonly port: number }
  | ({ readonly state: 'failed' } & Failure)

/** Milliseconds for a keeper's answer. One that is slower is asked again; a stranger on its port may never answer. */
const ANSWER_MS = 1_000

/**
 * The connection to a keeper by which this process is one of its users. It does not keep the process alive; it ends with
 * it, and so the keeper learns of its end.
 */
export class Line {
  readonly #socket: Socket
  readonly #listeners = new Set<() => void>()
  /** Undefined until the keeper has answered for the first time, and when the connection has ended. */
  news: News | undefined
  ended = false
  #text = ''

  private constructor(
    socket: Socket,
    /** The process id of the keeper. */
    readonly keeper: number,
  ) {
    this.#socket = socket
    socket.unref()
    socket.setEncoding('utf8')
    // The end of a connection is told by `close`.
    socket.on('error', () => undefined)
    socket.on('data', (chunk: string) => this.#heard(chunk))
    socket.once('close', () => this.#end())
  }

  /** Undefined when no keeper answers there: the state is of one that is gone. */
  static async open(state: KeeperState): Promise<Line | undefined> {
    const socket = connect({ host: LOOPBACK, port: state.port })
    const line = new Line(socket, state.pid)
    socket.once('connect', () => socket.write(`${JSON.stringify({ token: state.token })}\n`))
    await line.change(ANSWER_MS)
    if (line.news !== undefined) return line
    socket.destroy()
    return undefined
  }

  /** Resolves at the next news, at the end of the connection, or after the time. */
  change(timeout: number): Promise<void> {
    if (this.ended) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#listeners.delete(done)
        resolve()
      }
      const timer = setTimeout(done, timeout).unref()
      this.#listeners.add(done)
    })
  }

  /** Calls back at each news and at the end. */
  listen(listener: () => void): void {
    this.#listeners.add(listener)
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.ended) return resolve()
      this.#socket.once('close', () => resolve())
      this.#socket.destroy()
    })
  }

  #heard(chunk: string): void {
    const lines = (this.#text + chunk).split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      const news = parse(line)
      // Whoever answers something else is not a keeper.
      if (news === undefined) return void this.#socket.destroy()
      this.news = news
    }
    if (lines.length > 0) this.#notify()
  }

  #end(): void {
    this.ended = true
    this.news = undefined
    this.#notify()
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function parse(line: string): News | undefined {
  try {
    const news = JSON.parse(line) as News
    return ['starting', 'ready', 'failed'].includes(news.state) ? news : undefined
  } catch {
    return undefined
  }
}
