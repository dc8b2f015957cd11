import { resolve } from 'node:path'
import type { ChromaOptions } from '../../contract/options.js'
import { ClosedError, ConfigurationError, ConnectionError, StorageError } from '../../errors.js'
import { type HttpCall, HttpClient } from '../vector/http.js'
import { type LocalServer, openLocal } from './local.js'

const REMOTE = ['host', 'port', 'ssl', 'headers'] as const
const LOCAL = ['chromaCommand', 'startTimeout'] as const

/** @throws ConfigurationError where the options want both a server of our own and another one. */
function checkPlace(options: ChromaOptions): void {
  const { persistDirectory } = options
  const wrong = (persistDirectory === undefined ? LOCAL : REMOTE).find((name) => options[name] !== undefined)
  if (wrong === undefined) return
  throw new ConfigurationError(
    persistDirectory === undefined
      ? `option ${wrong}: is of local mode, which needs persistDirectory`
      : `option ${wrong}: cannot be given together with persistDirectory`,
  )
}

function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers))
    if (!/^[\w-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value))
      throw new ConfigurationError('option headers: names and values must be of visible ASCII characters')
}

type Call = Omit<HttpCall, 'body' | 'path'> & { readonly body?: string | object | undefined }

const CALL_TIMEOUT = 10_000

/** Of an answer that the server never gives: a page of a proxy in between, with a status of success. */
const foreignAnswer = (writes: boolean): ConnectionError =>
  new ConnectionError('what answered is no ChromaDB: is there a proxy in between?', {
    outcome: writes ? 'unknown' : 'none',
  })

/** What the server says of itself. */
export interface Abilities {
  /** Records of one request at most. */
  readonly batch: number
  /** Whether it takes vectors as base64 of their bytes. */
  readonly base64: boolean
}

/** Chroma's HTTP interface, version 2, over connections that are kept, with deadlines. */
export class ChromaClient {
  readonly #options: ChromaOptions
  #http: HttpClient | null = null
  #local: LocalServer | null = null
  #closed = false
  #abilities: Abilities = { batch: 100, base64: false }

  constructor(options: ChromaOptions) {
    checkPlace(options)
    checkHeaders(options.headers ?? {})
    this.#options = options
  }

  get abilities(): Abilities {
    return this.#abilities
  }

  /** Where collections are: the folder of a server of our own, else host, port, Chroma's tenant and database. */
  get place(): string {
    const { persistDirectory, host = '127.0.0.1', port = 8000 } = this.#options
    if (persistDirectory !== undefined) return resolve(persistDirectory)
    const { chromaTenant = 'default_tenant', chromaDatabase = 'default_database' } = this.#options
    return `${host}:${port}/${chromaTenant}/${chromaDatabase}`
  }

  /** Milliseconds for one call with its retries. */
  get callTimeout(): number {
    return this.#options.callTimeout ?? CALL_TIMEOUT
  }

  async #openLocal(): Promise<LocalServer | null> {
    const { persistDirectory, chromaCommand, startTimeout } = this.#options
    if (persistDirectory === undefined) return null
    return openLocal({
      persistDirectory,
      ...(chromaCommand !== undefined && { chromaCommand }),
      ...(startTimeout !== undefined && { startTimeout }),
    })
  }

  async open(): Promise<void> {
    const { host = '127.0.0.1', port = 8000, ssl = false, headers = {} } = this.#options
    const { callTimeout } = this
    const local = await this.#openLocal()
    this.#local = local
    this.#http = new HttpClient({
      name: 'ChromaDB',
      secure: ssl,
      host: local?.host ?? host,
      port: () => local?.port ?? port,
      headers,
      callTimeout,
      revive: local ? () => local.ready() : undefined,
    })
    try {
      // Closed while the server of the folder was starting.
      if (this.#closed) throw new ClosedError('the memory is closed')
      await this.#ask()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #ask(): Promise<void> {
    const answer = await this.http({ method: 'GET' }, '/api/v2/pre-flight-checks')
    const { max_batch_size: batch, supports_base64_encoding: base64 } = (answer?.value ?? {}) as Record<string, unknown>
    if (!Number.isInteger(batch) || (batch as number) < 1)
      throw new ConfigurationError('what answers there is no ChromaDB: see the options host and port')
    this.#abilities = { batch: batch as number, base64: base64 === true }
  }

  async http({ body, ...call }: Call, path: string): Promise<{ status: number; value: unknown }> {
    if (this.#closed) throw new ClosedError('the memory is closed')
    if (!this.#http) throw new StorageError('the client of ChromaDB is not open')
    const text = typeof body === 'object' ? JSON.stringify(body) : body
    return this.#http.call({ ...call, path, body: text })
  }

  /** A call about collections; undefined where the status is one of those that are accepted beside success. */
  async collections<T>(call: Call, path = ''): Promise<T | undefined> {
    const { status, value } = await this.onCollection(call, path)
    return status >= 300 ? undefined : (value as T)
  }

  /** The same with its status. */
  async onCollection(call: Call, path = ''): Promise<{ status: number; value: unknown }> {
    const answer = await this.http(call, `${this.#database()}/collections${path}`)
    // Taken for an answer, it would be a write that is acknowledged and never made, or a collection that is not there.
    if (answer.status < 300 && answer.value === undefined) throw foreignAnswer(call.writes === true)
    return answer
  }

  #database(): string {
    const { chromaTenant = 'default_tenant', chromaDatabase = 'default_database' } = this.#options
    return `/api/v2/tenants/${encodeURIComponent(chromaTenant)}/databases/${encodeURIComponent(chromaDatabase)}`
  }

  /** @throws ConfigurationError where the server has no such database. */
  async checkDatabase(): Promise<void> {
    const { status } = await this.http({ method: 'GET', accept: [404] }, this.#database())
    if (status === 404)
      throw new ConfigurationError(
        'the server has no such database: create it, or see the options chromaTenant and chromaDatabase',
      )
  }

  async ping(): Promise<boolean> {
    const { status } = await this.http({ method: 'GET' }, '/api/v2/heartbeat')
    return status === 200
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#http?.close()
    await this.#local?.close()
  }
}
