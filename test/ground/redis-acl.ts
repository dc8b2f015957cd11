import { connect, type Socket } from 'node:net'
import { LOOPBACK } from './ports.js'
import type { Server } from './types.js'

const PATIENCE_MS = 15_000
const STANDARD_PORT = 6379
const LINE_END = '\r\n'

export type Argument = string | number | Buffer
/** What a server says; text comes as bytes. */
export type Reply = Buffer | number | null | RedisError | Reply[]

/** An answer that begins with a minus sign. */
export class RedisError extends Error {
  override readonly name = 'RedisError'

  /** The first word, such as `MOVED` or `NOPERM`. */
  get code(): string {
    return this.message.split(' ', 1)[0] ?? ''
  }
}

/**
 * Sends one command on a connection of its own and answers the reply, text as UTF-8. An error is thrown; one that is
 * part of an array, as in the reply to EXEC, is an element of it. A URL may hold a name and a password.
 */
export async function tell(portOrUrl: number | string, ...args: readonly Argument[]): Promise<unknown> {
  return textOf(await tellBytes(portOrUrl, ...args))
}

/** `tell`, with text as bytes: for keys and values that are no UTF-8. */
export async function tellBytes(portOrUrl: number | string, ...args: readonly Argument[]): Promise<Reply> {
  const url = new URL(typeof portOrUrl === 'number' ? `redis://${LOOPBACK}:${portOrUrl}` : portOrUrl)
  if (url.protocol !== 'redis:') throw new Error(`${url.protocol} is not spoken here`)
  const socket = connect({ host: url.hostname, port: Number(url.port || STANDARD_PORT), noDelay: true })
  const login =
    url.password === '' ? [] : [['AUTH', ...[url.username || 'default', url.password].map(decodeURIComponent)]]
  return converse(socket, [...login, args])
}

/** Sends commands in one go on a connection that is closed afterwards, and answers the reply to the last. */
export async function converse(socket: Socket, commands: readonly (readonly Argument[])[]): Promise<Reply> {
  const incoming = new Incoming(socket)
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)))
  socket.write(Buffer.concat(commands.map(encode)))
  try {
    let last: Reply = null
    for (const _ of commands) {
      last = await incoming.reply()
      if (last instanceof RedisError) throw last
    }
    return last
  } finally {
    socket.destroy()
  }
}

/** Makes a user, or makes it anew, with rules such as `~mine:*` and `+@read`; answers the server's URL for that user. */
export async function addUser(
  server: Pick<Server, 'url'>,
  name: string,
  password: string,
  rules: readonly string[],
): Promise<string> {
  await tell(server.url, 'ACL', 'SETUSER', name, 'reset', 'on', `>${password}`, ...rules)
  const url = new URL(server.url)
  url.username = encodeURIComponent(name)
  url.password = encodeURIComponent(password)
  return url.href
}

function encode(args: readonly Argument[]): Buffer {
  const parts = args.map((arg) => (Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))))
  const bytes = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from(LINE_END)])
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...bytes])
}

/** What a server says, reply by reply. */
class Incoming {
  readonly #chunks: AsyncIterator<Buffer>
  #bytes: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]()
  }

  async reply(): Promise<Reply> {
    const line = (await this.#line()).toString()
    const [type, rest] = [line.charAt(0), line.slice(1)]
    if (type === '+') return Buffer.from(rest)
    if (type === '-') return new RedisError(rest)
    const number = Number(rest)
    if (type === ':') return number
    if (type !== '$' && type !== '*') throw new Error(`${JSON.stringify(type)} begins no reply of RESP2`)
    if (number < 0) return null
    return type === '$' ? this.#bulk(number) : this.#array(number)
  }

  async #bulk(length: number): Promise<Reply> {
    const bytes = await this.#take(length)
    await this.#take(LINE_END.length)
    return bytes
  }

  async #array(length: number): Promise<Reply> {
    const elements: Reply[] = []
    while (elements.length < length) elements.push(await this.reply())
    return elements
  }

  async #line(): Promise<Buffer> {
    while (!this.#bytes.includes(LINE_END)) await this.#wait(this.#bytes.length + 1)
    const line = await this.#take(this.#bytes.indexOf(LINE_END))
    await this.#take(LINE_END.length)
    return line
  }

  async #take(length: number): Promise<Buffer> {
    await this.#wait(length)
    const taken = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return taken
  }

  async #wait(length: number): Promise<void> {
    const parts = [this.#bytes]
    for (let missing = length - this.#bytes.length; missing > 0; ) {
      const { value, done } = await this.#chunks.next()
      if (done === true) throw new Error('the connection ended before the answer')
      parts.push(value)
      missing -= value.length
    }
    if (parts.length > 1) this.#bytes = Buffer.concat(parts)
  }
}

function textOf(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(textOf)
  return Buffer.isBuffer(reply) ? reply.toString() : reply
}
