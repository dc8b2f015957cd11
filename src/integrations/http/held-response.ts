import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { UnsupportedError } from '../../errors.js'

/** The client went away before it had its answer. */
export class ClientLeft extends Error {}

export interface Holding {
  /** Bytes of an answer that are held at most. */
  readonly limit: number
  /** The handlers have answered. */
  readonly ended: () => void
  /** They cannot be answered for any more. */
  readonly failed: (error: unknown) => void
}

const isFunction = (value: unknown): value is () => void => typeof value === 'function'
type Headers = OutgoingHttpHeaders | readonly OutgoingHttpHeader[]

/** `through` once it was sent or given up; `sunk` where what handlers still say is not for the client. */
type State = 'holding' | 'ended' | 'through' | 'sunk'

const HELD = Symbol('held')
type Patched = ServerResponse & { [HELD]: HeldResponse }

// One of each for all responses: functions of their own would give every response a shape of its own, which is slow.
const PATCHES = {
  write(this: Patched, ...args: unknown[]) {
    return this[HELD].write(args)
  },
  end(this: Patched, ...args: unknown[]) {
    return this[HELD].end(args)
  },
  writeHead(this: Patched, ...args: unknown[]) {
    return this[HELD].writeHead(args)
  },
  flushHeaders(this: Patched) {
    this[HELD].flushHeaders()
  },
}

/** To the handlers a held answer is sent: one that fails after its answer must not answer a second time. */
const sent = (name: 'headersSent' | 'writableEnded'): PropertyDescriptor => ({
  configurable: true,
  get(this: Patched): boolean {
    return this[HELD].ended || (Reflect.get(Object.getPrototypeOf(this) as object, name, this) as boolean)
  },
})
const SENT = { headersSent: sent('headersSent'), writableEnded: sent('writableEnded') }

/** Keeps the whole answer of a response back, its status and headers too, until it is released or replaced. */
export class HeldResponse {
  #state: State = 'holding'
  #chunks: { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding }[] = []
  #bytes = 0
  /** Who ended it and wants to hear of its end. */
  #done: unknown
  readonly #response: ServerResponse
  /** None once nothing is held: it would keep the unit alive for as long as the response. */
  #holding: Holding | null
  readonly #own: Pick<ServerResponse, 'write' | 'end' | 'writeHead' | 'flushHeaders'>
  readonly #before: OutgoingHttpHeaders
  readonly #statusBefore: number
  #status = 200

  constructor(response: ServerResponse, holding: Holding) {
    this.#response = response
    this.#holding = holding
    this.#before = response.getHeaders()
    this.#statusBefore = response.statusCode
    const { write, end, writeHead, flushHeaders } = response
    this.#own = { write, end, writeHead, flushHeaders }
    Object.assign(response, PATCHES, { [HELD]: this })
    Object.defineProperties(response, SENT)
    response.once('close', this.#onClose)
  }

  /** Of the answer that the handlers gave. */
  get status(): number {
    return this.#status
  }

  get ended(): boolean {
    return this.#state === 'ended'
  }

  /** What the handlers set, beside what was set before them. */
  get headers(): OutgoingHttpHeaders {
    const entries = Object.entries(this.#response.getHeaders())
    return Object.fromEntries(entries.filter(([name, value]) => this.#before[name] !== value))
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks.map(({ chunk, encoding }) => bytesOf(chunk, encoding)))
  }

  /** Sends what was held. */
  release(): void {
    if (!this.ended) return
    const [only] = this.#chunks
    // A text as it stands leaves in one packet with its headers.
    const body = this.#chunks.length > 1 ? [this.body] : only ? [only.chunk, only.encoding] : []
    this.#open()
    this.#response.statusCode = this.#status
    Reflect.apply(this.#own.end, this.#response, this.#done ? [...body, this.#done] : body)
  }

  /** Forgets what was held: somebody else answers. */
  replace(): void {
    this.#open()
    const response = this.#response
    if (response.headersSent) return
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    for (const [name, value] of Object.entries(this.#before)) response.setHeader(name, value as OutgoingHttpHeader)
    response.statusCode = this.#statusBefore
  }

  /** Answers while handlers may still be at work: what they say from now on goes nowhere. */
  sink(answer: (response: ServerResponse) => void): void {
    this.replace()
    if (!this.#response.destroyed) answer(this.#response)
    this.#state = 'sunk'
  }

  #open(): void {
    this.#state = 'through'
    this.#holding = null
    this.#chunks = []
    this.#response.off('close', this.#onClose)
  }

  readonly #onClose = (): void => {
    if (this.#state !== 'holding') return
    this.#state = 'sunk'
    this.#holding?.failed(new ClientLeft('the client has left'))
  }

  #keep(args: readonly unknown[]): void {
    const [chunk, encoding] = args
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return
    const text = typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'
    // A copy: who writes may use its buffer again.
    const kept = typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array)
    this.#chunks.push({ chunk: kept, encoding: text })
    this.#bytes += Buffer.byteLength(kept, text)
    if (this.#holding && this.#bytes > this.#holding.limit)
      this.#refuse('an answer of this size cannot be held back until its unit is stored')
  }

  #refuse(message: string): void {
    this.#state = 'sunk'
    this.#holding?.failed(new UnsupportedError('heldAnswer', message))
  }

  /** Events are for now: held back they would come when the unit ends, which waits for them. */
  #refuseEvents(): void {
    const type = String(this.#response.getHeader('content-type') ?? '')
    if (this.#state === 'holding' && type.startsWith('text/event-stream'))
      this.#refuse('a stream of events cannot be held back until its unit is stored')
  }

  write(args: readonly unknown[]): boolean {
    if (this.#state === 'through') return Reflect.apply(this.#own.write, this.#response, args)
    this.#refuseEvents()
    if (this.#state === 'holding') this.#keep(args)
    // Who waits for a write before it ends the answer would wait for ever.
    const done = args.find(isFunction)
    if (done) queueMicrotask(() => done())
    return true
  }

  end(args: readonly unknown[]): ServerResponse {
    if (this.#state === 'through') return Reflect.apply(this.#own.end, this.#response, args)
    if (this.#state === 'holding') this.#keep(args)
    if (this.#state !== 'holding') return this.#response
    this.#state = 'ended'
    this.#done = args.find(isFunction)
    this.#status = this.#response.statusCode
    this.#holding?.ended()
    return this.#response
  }

  flushHeaders(): void {
    if (this.#state === 'through') this.#own.flushHeaders.call(this.#response)
    else this.#refuseEvents()
  }

  writeHead(args: readonly unknown[]): ServerResponse {
    if (this.#state === 'through') return Reflect.apply(this.#own.writeHead, this.#response, args)
    if (this.#state !== 'holding') return this.#response
    const [status, second, third] = args
    const response = this.#response
    response.statusCode = status as number
    if (typeof second === 'string') response.statusMessage = second
    setHeaders(response, (typeof second === 'string' ? third : (second ?? third)) as Headers | undefined)
    this.#refuseEvents()
    return response
  }
}

const bytesOf = (chunk: string | Uint8Array, encoding: BufferEncoding): Uint8Array =>
  typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk

/** Sets them as `writeHead` takes them: an object, pairs, or names and values in turn. */
function setHeaders(response: ServerResponse, headers: Headers | undefined): void {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers ?? {}))
      if (value !== undefined) response.setHeader(name, value as OutgoingHttpHeader)
    return
  }
  const flat = headers.flat() as OutgoingHttpHeader[]
  for (let i = 0; i + 1 < flat.length; i += 2) response.setHeader(String(flat[i]), flat[i + 1] as OutgoingHttpHeader)
}
