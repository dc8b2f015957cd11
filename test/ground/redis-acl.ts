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
export function converse(socket: Socket, commands: readonly (readonly Argument[])[]): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    let waiting = commands.length
    let end = 0
    const settle = (reply: Reply): void => {
      waiting -= 1
      if (reply instanceof RedisError) reject(reply)
      else if (waiting === 0) resolve(reply)
      if (reply instanceof RedisError || waiting === 0) socket.destroy()
    }
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received.subarray(end), data])
      end = 0
      while (waiting > 0 && !socket.destroyed) {
        const parsed = parse(received, end)
        if (parsed === undefined) return
        end = parsed.end
        settle(parsed.reply)
      }
    })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection ended before the answer')))
    socket.write(Buffer.concat(commands.map(encode)))
  })
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

interface Parsed {
  readonly reply: Reply
  /** Where the next reply begins. */
  readonly end: number
}

/** Undefined where the reply is not complete yet. */
function parse(bytes: Buffer, start: number): Parsed | undefined {
  const lineEnd = bytes.indexOf(LINE_END, start)
  if (lineEnd < 0) return undefined
  const line = bytes.subarray(start + 1, lineEnd)
  const end = lineEnd + LINE_END.length
  const type = String.fromCharCode(bytes[start] ?? 0)
  if (type === '+') return { reply: Buffer.from(line), end }
  if (type === '-') return { reply: new RedisError(line.toString()), end }
  const number = Number(line.toString())
  if (type === ':') return { reply: number, end }
  if (type === '$') return parseBulk(bytes, end, number)
  if (type === '*') return parseArray(bytes, end, number)
  throw new Error(`${JSON.stringify(type)} begins no reply of RESP2`)
}

function parseBulk(bytes: Buffer, start: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start }
  const end = start + length + LINE_END.length
  return bytes.length < end ? undefined : { reply: Buffer.from(bytes.subarray(start, start + length)), end }
}

function parseArray(bytes: Buffer, start: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start }
  const reply: Reply[] = []
  let end = start
  for (let index = 0; index < length; index += 1) {
    const element = parse(bytes, end)
    if (element === undefined) return undefined
    reply.push(element.reply)
    end = element.end
  }
  return { reply, end }
}

function textOf(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(textOf)
  return Buffer.isBuffer(reply) ? reply.toString() : reply
}
