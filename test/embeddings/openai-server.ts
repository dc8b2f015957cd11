import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly authorization: string | undefined
  readonly model: string
  readonly input: string[]
  readonly dimensions: number | undefined
  readonly encoding: string | undefined
}

type Failure = { readonly status: number; readonly message?: string } | 'hang' | 'hang up' | 'garbage' | null

/** A service that speaks `/v1/embeddings`; `fail` gets the request's number from 1, `embed` makes its vectors. */
export class EmbeddingsServer implements AsyncDisposable {
  readonly asked: Asked[] = []
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
    const failure = this.fail(this.asked.length)
    if (failure === 'hang') return
    if (failure === 'hang up') return void request.socket.destroy()
    response.setHeader('content-type', 'application/json')
    if (failure === 'garbage') return void response.end('{"data": "none"}')
    if (failure) {
      response.statusCode = failure.status
      return void response.end(JSON.stringify({ error: { message: failure.message ?? 'no', type: 'error' } }))
    }
    const vectors = await this.embed(texts, body.dimensions ?? 1536)
    const data = vectors.map((vector, index) => {
      const embedding = encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
      return { object: 'embedding', index, embedding }
    })
    response.end(
      JSON.stringify({ object: 'list', data, model: body.model, usage: { prompt_tokens: 1, total_tokens: 1 } }),
    )
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
