import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Asked {
  readonly authorization: string | undefined
  readonly model: string
  readonly input: string[]
  readonly dimensions: number | undefined
  readonly encoding: string | undefined
}

export interface Row {
  readonly index?: number
  readonly embedding: unknown
}

export type Failure =
  | { readonly status: number; readonly message?: string; readonly headers?: Readonly<Record<string, string>> }
  /** What is answered with the status 200, as text of a type, JSON unless told. */
  | { readonly body: string; readonly type?: string }
  /** Milliseconds before the answer. */
  | { readonly slow: number }
  /** The answer with other rows. */
  | { readonly rows: (rows: Row[]) => unknown }
  /** The answer ends in its middle: with its connection, or as if it were whole. */
  | 'cut'
  | 'cut short'
  | 'hang'
  | 'hang up'
  | 'garbage'
  | null

function refuse(response: ServerResponse, { status, message, headers }: Extract<Failure, { status: number }>): void {
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
  response.statusCode = status
  response.end(JSON.stringify({ error: { message: message ?? 'no', type: 'error' } }))
}

/** A service that speaks `/v1/embeddings`; `fail` gets the request's number from 1, `embed` makes its vectors. */
export class EmbeddingsServer implements AsyncDisposable {
  readonly asked: Asked[] = []
  /** When each request came, in milliseconds. */
  readonly times: number[] = []
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  constructor(
    readonly fail: (request: number) => Failure = () => null,
    readonly embed: (texts: string[], dimensions: number) => Promise<Float32Array[]> = async (texts, dimensions) =>
      texts.map((text) => vectorOf(text, dimensions)),
  ) {}

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { input, encoding_format, ...body } = JSON.parse(Buffer.concat(chunks).toString())
    const texts: string[] = [input].flat()
    this.asked.push({ authorization: request.headers.authorization, input: texts, encoding: encoding_format, ...body })
    this.times.push(performance.now())
    const failure = this.fail(this.asked.length)
    if (failure === 'hang') return
    if (failure === 'hang up') return void request.socket.destroy()
    response.setHeader('content-type', 'application/json')
    if (failure === 'garbage') return void response.end('{"data": "none"}')
    if (failure && typeof failure === 'object' && 'status' in failure) return refuse(response, failure)
    if (failure && typeof failure === 'object' && 'body' in failure) {
      response.setHeader('content-type', failure.type ?? 'application/json')
      return void response.end(failure.body)
    }
    if (failure && typeof failure === 'object' && 'slow' in failure) await sleep(failure.slow)
    const vectors = await this.embed(texts, body.dimensions ?? 1536)
    const rows = vectors.map((vector, index) => {
      const embedding = encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
      return { object: 'embedding', index, embedding }
    })
    const data = failure && typeof failure === 'object' && 'rows' in failure ? failure.rows(rows) : rows
    const usage = { prompt_tokens: 1, total_tokens: 1 }
    const answer = JSON.stringify({ object: 'list', data, model: body.model, usage })
    const half = answer.slice(0, answer.length / 2)
    if (failure === 'cut short') return void response.end(half)
    if (failure !== 'cut') return void response.end(answer)
    response.setHeader('content-length', answer.length)
    response.write(half, () => request.socket.destroy())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** What the service answers for a text. */
export const vectorOf = (text: string, dimensions: number): Float32Array =>
  Float32Array.from({ length: dimensions }, (_, i) => Math.fround(Math.sin(text.length + i)))
