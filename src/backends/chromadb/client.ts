import type { ChromaOptions } from '../../contract/options.js'
import { ConfigurationError, StorageError } from '../../errors.js'
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
  #abilities: Abilities = { batch: 100, base64: false }

  constructor(options: ChromaOptions) {
    checkPlace(options)
    checkHeaders(options.headers ?? {})
    this.#options = options
  }

  get abilities(): Abilities {
    return this.#abilities
  }

  async open(): Promise<void> {
    const { persistDirectory, chromaCommand, startTimeout, callTimeout = 10_000 } = this.#options
    const { host = '127.0.0.1', port = 8000, ssl = false, headers = {} } = this.#options
    const local =
      persistDirectory === undefined
        ? null
        : await openLocal({
            persistDirectory,
            ...(chromaCommand !== undefined && { chromaCommand }),
            ...(startTimeout !== undefined && { startTimeout }),
          })
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
  onCollection(call: Call, path = ''): Promise<{ status: number; value: unknown }> {
    const { chromaTenant = 'default_tenant', chromaDatabase = 'default_database' } = this.#options
    const base = `/api/v2/tenants/${encodeURIComponent(chromaTenant)}/databases/${encodeURIComponent(chromaDatabase)}`
    return this.http(call, `${base}/collections${path}`)
  }

  async ping(): Promise<boolean> {
    const { status } = await this.http({ method: 'GET' }, '/api/v2/heartbeat')
    return status === 200
  }

  async close(): Promise<void> {
    this.#http?.close()
    await this.#local?.close()
  }
}
