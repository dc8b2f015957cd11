import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const LOOPBACK = '127.0.0.1'

export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

/** Stands between a client and a server, and goes wrong on demand. */
export interface FaultyProxy extends AsyncDisposable {
  readonly port: number
  /** How many clients are connected. */
  readonly connections: number
  url(scheme: string): string
  /** Ends every connection at once; what is on its way is lost. */
  cut(): void
  /** Holds back all bytes, both ways, and the end of a connection too: each side believes that the other is there. */
  freeze(): void
  /** Lets everything through that was held back. */
  thaw(): void
  /** While on, a new connection is ended before its first byte; those that are there stay. */
  refuse(on: boolean): void
  /** Swallows the server's next `count` chunks, and cuts the connection of each: it was done, and nobody hears of it. */
  dropReplies(count: number): void
  /** How often, since the last reset, the server answered what a client had sent. */
  roundTrips(): number
  /** Begins to count round trips anew. */
  reset(): void
  stop(): Promise<void>
}

interface State {
  frozen: boolean
  refusing: boolean
  repliesToDrop: number
  turns: number
}

/** A TCP proxy on a free port of 127.0.0.1; without a fault it passes on everything. */
export async function startProxy(target: ProxyTarget): Promise<FaultyProxy> {
  const state: State = { frozen: false, refusing: false, repliesToDrop: 0, turns: 0 }
  const links = new Set<Link>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    if (state.refusing) {
      near.on('error', () => {})
      near.destroy()
      return
    }
    const far = connect({ host: target.host, port: target.port, allowHalfOpen: true, noDelay: true })
    const link = new Link(near, far, state, () => links.delete(link))
    links.add(link)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, LOOPBACK, resolve)
  })
  const { port } = server.address() as AddressInfo
  const cut = (): void => {
    for (const link of [...links]) link.cut()
  }
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    cut()
    await closed
  }
  return {
    port,
    get connections() {
      return links.size
    },
    url: (scheme) => `${scheme}://${LOOPBACK}:${port}`,
    cut,
    freeze: () => {
      state.frozen = true
      for (const link of links) link.pause()
    },
    thaw: () => {
      state.frozen = false
      for (const link of [...links]) link.resume()
    },
    refuse: (on) => {
      state.refusing = on
    },
    dropReplies: (count) => {
      state.repliesToDrop = count
    },
    roundTrips: () => state.turns,
    reset: () => {
      state.turns = 0
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** One client's connection, and the one to the server that was made for it. */
class Link {
  readonly #near: Socket
  readonly #far: Socket
  readonly #state: State
  readonly #gone: () => void
  /** The client has sent something since the server last did. */
  #asked = false
  /** What a side must not hear of before the thaw. */
  readonly #held: (() => void)[] = []

  constructor(near: Socket, far: Socket, state: State, gone: () => void) {
    this.#near = near
    this.#far = far
    this.#state = state
    this.#gone = gone
    near.on('data', (data) => this.#request(data))
    far.on('data', (data) => this.#reply(data))
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      // A paused socket tells its end all the same.
      one.on('end', () => this.#pass(() => other.end()))
      one.on('error', () => {})
      one.on('close', (broken) => this.#closed(broken))
    }
    if (state.frozen) this.pause()
  }

  cut(): void {
    this.#near.destroy()
    this.#far.destroy()
    this.#gone()
  }

  pause(): void {
    this.#near.pause()
    this.#far.pause()
  }

  resume(): void {
    for (const action of this.#held.splice(0)) action()
    this.#near.resume()
    this.#far.resume()
  }

  #request(data: Buffer): void {
    this.#asked = true
    this.#far.write(data)
  }

  #reply(data: Buffer): void {
    if (this.#asked) this.#state.turns += 1
    this.#asked = false
    if (this.#state.repliesToDrop > 0) {
      this.#state.repliesToDrop -= 1
      this.cut()
    } else this.#near.write(data)
  }

  #closed(broken: boolean): void {
    if (broken || (this.#near.destroyed && this.#far.destroyed)) this.#pass(() => this.cut())
  }

  #pass(action: () => void): void {
    if (this.#state.frozen) this.#held.push(action)
    else action()
  }
}
