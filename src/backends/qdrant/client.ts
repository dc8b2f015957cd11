import type { QdrantOptions } from '../../contract/options.js'
import { ConfigurationError, StorageError } from '../../errors.js'
import { type HttpCall, HttpClient } from '../vector/http.js'

/** The first version whose writes take a condition. */
const LEAST = [1, 16] as const

interface Place {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  readonly prefix: string
  readonly apiKey: string | undefined
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    throw new ConfigurationError('option url: its key must be written with % only as part of a code such as %25')
  }
}

/**
 * Where the server is.
 *
 * @throws ConfigurationError where the options name several places; it repeats no key.
 */
export function placeOf(options: QdrantOptions): Place {
  const { url, host, port, https, apiKey, tls } = options
  if (url === undefined) {
    if (tls && !https) throw new ConfigurationError('option tls: needs https')
    return { secure: https ?? false, host: host ?? '127.0.0.1', port: port ?? 6333, prefix: '', apiKey }
  }
  const other = (['host', 'port', 'https'] as const).find((name) => options[name] !== undefined)
  if (other) throw new ConfigurationError(`option ${other}: cannot be given together with url`)
  if (!URL.canParse(url)) throw new ConfigurationError('option url: must be a URL such as http://127.0.0.1:6333')
  const { protocol, hostname, port: ofUrl, pathname, username, password } = new URL(url)
  const secure = protocol === 'https:'
  if (tls && !secure) throw new ConfigurationError('option tls: needs a URL that begins with https://')
  return {
    secure,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: ofUrl ? Number(ofUrl) : 6333,
    prefix: pathname.replace(/\/+$/, ''),
    apiKey: apiKey ?? (decoded(password || username) || undefined),
  }
}

/** How the server's own client speaks, over connections that are kept, with deadlines; its answers are checked here. */
export class QdrantClient {
  readonly #http: HttpClient
  constructor(options: QdrantOptions) {
    const { secure, host, port, prefix, apiKey } = placeOf(options)
    if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
      throw new ConfigurationError('option apiKey: must be of visible ASCII characters')
    this.#http = new HttpClient({
      name: 'Qdrant',
      secure,
      host,
      port: () => port,
      prefix,
      headers: apiKey === undefined ? {} : { 'api-key': apiKey },
      tls: options.tls,
      callTimeout: options.callTimeout ?? 10_000,
    })
  }

  /** The `result` of an answer; undefined where the status is one of those that are accepted beside success. */
  async call<T>(
    call: Omit<HttpCall, 'body'> & { readonly body?: string | object | undefined },
  ): Promise<T | undefined> {
    const { body } = call
    const text = typeof body === 'object' ? JSON.stringify(body) : body
    const { status, value } = await this.#http.call({ ...call, body: text })
    if (status >= 300) return undefined
    const { result } = (value ?? {}) as { result?: T }
    if (result === undefined || result === null) throw new StorageError('Qdrant answered something else than a result')
    return result
  }

  /** @throws ConfigurationError where the server is too old, or none. */
  async checkVersion(): Promise<void> {
    const { value } = await this.#http.call({ method: 'GET', path: '/' })
    const { title, version } = (value ?? {}) as { title?: unknown; version?: unknown }
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(String(version)) ?? []
    if (major === undefined || !/qdrant/i.test(String(title)))
      throw new ConfigurationError('what answers there is no Qdrant: see the options host and port')
    const [wantedMajor, wantedMinor] = LEAST
    if (Number(major) < wantedMajor || (Number(major) === wantedMajor && Number(minor) < wantedMinor))
      throw new ConfigurationError(`Qdrant ${LEAST.join('.')} or later is needed, and this is ${major}.${minor}`)
  }

  async ping(): Promise<boolean> {
    const { status } = await this.#http.call({ method: 'GET', path: '/readyz' })
    return status === 200
  }

  close(): void {
    this.#http.close()
  }
}
