import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { ClosedError } from '../../errors.js'
import { Answered, failureOf, Hung, mayBeDone, mayPass } from './http-errors.js'

export interface HttpSettings {
  /** What the server is called in messages. */
  readonly name: string
  readonly secure: boolean
  readonly host: string
  /** Read at every call: a server of our own may come back elsewhere. */
  readonly port: () => number
  /** In front of every path, such as `/qdrant`. */
  readonly prefix?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly tls?: ConnectionOptions | undefined
  /** Milliseconds for one call with its retries. */
  readonly callTimeout: number
  /** Waited for before a call that found nobody is made again. */
  readonly revive?: (() => Promise<void>) | undefined
}

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  /** JSON text. */
  readonly body?: string | undefined
  /** Statuses beside 2xx that are an answer. */
  readonly accept?: readonly number[] | undefined
  /** Whether it changes something: where no answer came, it is not known whether it did. */
  readonly writes?: boolean | undefined
}

export interface HttpAnswer {
  readonly status: number
  /** The body as JSON; undefined where it is empty or none. */
  readonly value: unknown
}

const SHORTEST_PAUSE = 20
const LONGEST_PAUSE = 400
/** An attempt that hangs, on a line that is dead and does not know it, leaves time for another. */
const SHARE = 0.5
const SOCKETS = 64

/**
 * JSON over kept-alive connections. Every call may be repeated, for writes carry ids and revisions: so a call goes on after
 * a lost connection or an overloaded server, until its time is over. `accept-encoding: identity` is said, for a server that
 * compresses answers in chunks, which stall for 40 ms between Nagle's algorithm and delayed acknowledgements.
 */
export class HttpClient {
  readonly #settings: HttpSettings
  readonly #agent: HttpAgent
  readonly #open = new Set<ClientRequest>()
  #closed = false

  constructor(settings: HttpSettings) {
    this.#settings = settings
    const options = { keepAlive: true, maxSockets: SOCKETS, keepAliveMsecs: 10_000 }
    this.#agent = settings.secure ? new HttpsAgent({ ...options, ...settings.tls }) : new HttpAgent(options)
  }

  async call(call: HttpCall): Promise<HttpAnswer> {
    const { callTimeout, revive } = this.#settings
    const started = performance.now()
    const left = (): number => callTimeout - (performance.now() - started)
    let done = false
    for (let attempt = 1; ; attempt++) {
      this.#check()
      try {
        return await this.#attempt(call, Math.max(1, attempt === 1 ? left() * SHARE : left()))
      } catch (error) {
        this.#check()
        done ||= call.writes === true && mayBeDone(error)
        const pause = SHORTEST_PAUSE + Math.random() * Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** attempt)
        if (!mayPass(error) || left() <= pause) throw failureOf(this.#settings, error, done)
        await sleep(pause)
        if (revive && !(error instanceof Answered)) await within(revive(), left())
      }
    }
  }

  #check(): void {
    if (this.#closed) throw new ClosedError('the memory is closed')
  }

  #attempt(call: HttpCall, time: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const request = this.#send(call)
      this.#open.add(request)
      const timer = setTimeout(() => request.destroy(new Hung()), time)
      const end = (): void => {
        clearTimeout(timer)
        this.#open.delete(request)
      }
      request.on('error', (error) => {
        end()
        reject(error)
      })
      request.on('socket', (socket) => {
        // A server that answers before it has read a large body closes: what the socket then says after the request has
        // ended is nobody's, and would end the process.
        if (!socket.listeners('error').includes(quiet)) socket.on('error', quiet)
      })
      request.on('response', (response) => {
        read(response).then(
          (text) => {
            end()
            try {
              resolve(answer(call, response, text))
            } catch (error) {
              reject(error)
            }
          },
          (error: unknown) => {
            end()
            // What ended the request says why the answer ended.
            reject(request.errored ?? error)
          },
        )
      })
      request.end(call.body)
    })
  }

  #send({ method, path, body }: HttpCall): ClientRequest {
    const { secure, host, port, prefix = '', headers } = this.#settings
    const send = secure ? httpsRequest : httpRequest
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    return send({
      agent: this.#agent,
      method,
      host,
      port: port(),
      path: prefix + path,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...length,
        ...headers,
      },
    })
  }

  /** Calls that are under way end with `ClosedError`. */
  close(): void {
    this.#closed = true
    for (const request of this.#open) request.destroy()
    this.#agent.destroy()
  }
}

/** Until it is done, or the time is over: then the next attempt fails by itself. */
async function within(work: Promise<void>, time: number): Promise<void> {
  const done = new AbortController()
  const late = sleep(Math.max(0, time), undefined, { signal: done.signal }).catch(() => undefined)
  try {
    await Promise.race([work, late])
  } finally {
    done.abort()
    // What fails when nobody waits any more is known by the next call.
    work.catch(() => undefined)
  }
}

const quiet = (): void => undefined

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString()
}

function answer({ accept = [] }: HttpCall, { statusCode = 0 }: IncomingMessage, text: string): HttpAnswer {
  let value: unknown
  try {
    value = text === '' ? undefined : JSON.parse(text)
  } catch {
    // A page of a proxy, or another server: its text is nobody's business.
    value = undefined
  }
  if ((statusCode >= 200 && statusCode < 300) || accept.includes(statusCode)) return { status: statusCode, value }
  throw new Answered(statusCode)
}
