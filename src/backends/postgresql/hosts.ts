import { connect as connectSocket, type Socket } from 'node:net'
import { ConfigurationError, ConnectionError } from '../../errors.js'

export interface Host {
  readonly host: string
  readonly port: number
}

export const URL_FORM = 'write postgres://user:password@host:5432/database'

/** The hosts of a URL, which may name several: `postgres://a:5432,b:5433/app`. */
export function hostsOf(connectionString: string): { readonly hosts: readonly Host[]; readonly single: string } {
  const parts = /^(postgres(?:ql)?:\/\/)((?:[^/@?]*@)?)([^/?]*)(.*)$/s.exec(connectionString)
  if (!parts) throw new ConfigurationError(`option connectionString: cannot be read: ${URL_FORM}`)
  const [, scheme, credentials, names = '', rest] = parts
  const hosts = names.split(',').map((name) => {
    const found = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(name)
    const port = Number(found?.[2] ?? 5432)
    if (!found || port < 1 || port > 65_535)
      throw new ConfigurationError(`option connectionString: a host or port cannot be read: ${URL_FORM}`)
    return { host: decodeURIComponent(found[1] || 'localhost').replace(/^\[|\]$/g, ''), port }
  })
  const single = `${scheme}${credentials}${names.split(',')[0] ?? ''}${rest}`
  try {
    new URL(single)
  } catch {
    // The error's own message quotes the URL, which may hold a password.
    throw new ConfigurationError(`option connectionString: cannot be read: ${URL_FORM}`)
  }
  return { hosts, single }
}

/** Milliseconds between two looks whether a server still answers. */
const WATCH = 1000

/** Destroys a socket whose other end has been silent for `limit` ms although it was sent something. */
function watch(socket: Socket, limit: number): void {
  let read = 0
  let answered = 0
  let since = performance.now()
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer)
    if (socket.bytesRead !== read || socket.bytesWritten === answered) {
      read = socket.bytesRead
      answered = socket.bytesWritten
      since = performance.now()
    } else if (performance.now() - since > limit)
      socket.destroy(Object.assign(new Error('the server no longer answers'), { code: 'ETIMEDOUT' }))
  }, WATCH)
  timer.unref()
}

export function dial({ host, port }: Host, statementTimeout: number): Socket {
  const socket = connectSocket({ host, port })
  // A small COPY or a pipelined statement would wait for the other side's delayed acknowledgement.
  socket.setNoDelay(true)
  // For the server's name in TLS.
  Object.assign(socket, { host, port })
  if (statementTimeout > 0) watch(socket, statementTimeout + 10_000)
  return socket
}

/**
 * Which of several hosts to connect to: the first that is as it must be, looked for again when it cannot be reached. The
 * client's own way would go round for ever where there is none.
 */
export class Locator {
  #found: Promise<Host | null> | null = null

  constructor(
    readonly hosts: readonly Host[],
    /** Whether a host answers, and is as it must be. */
    readonly fits: (host: Host) => Promise<boolean>,
    readonly statementTimeout: number,
  ) {}

  async open(): Promise<Socket> {
    this.#found ??= this.#locate()
    const host = await this.#found
    const socket = dial(host ?? (this.hosts[0] as Host), this.statementTimeout)
    socket.once('error', () => this.#forget())
    socket.once('close', () => this.#forget())
    if (!host) {
      // It has to fail in the client's hands: a failure before would leave its connection waiting for ever.
      const { length } = this.hosts
      setImmediate(() =>
        socket.destroy(new ConnectionError(`none of the ${length} hosts is the server that is wanted`)),
      )
    }
    return socket
  }

  #forget(): void {
    this.#found = null
  }

  async #locate(): Promise<Host | null> {
    for (const host of this.hosts) if (await this.fits(host)) return host
    return null
  }
}
