import type { RedisOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'

/** Host, port, user and database of a URL; an error does not repeat it, because it may carry a password. */
function ofUrl(url: string): Partial<RedisOptions> {
  let parsed: URL
  try {
    parsed = new URL(url)
    for (const part of [parsed.username, parsed.password]) decodeURIComponent(part)
  } catch {
    throw new ConfigurationError('option url: must be a URL such as redis://user:password@host:6379/0')
  }
  const db = parsed.pathname.slice(1)
  if (!/^\d*$/.test(db)) throw new ConfigurationError('option url: its path must be the number of a database')
  const unknown = [...parsed.searchParams.keys()].find((name) => name !== 'prefix')
  if (unknown !== undefined)
    throw new ConfigurationError('option url: takes no parameter but prefix; for others use the options')
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, '') || undefined,
    port: parsed.port ? Number(parsed.port) : undefined,
    username: decodeURIComponent(parsed.username) || undefined,
    password: decodeURIComponent(parsed.password) || undefined,
    db: db ? Number(db) : undefined,
    tls: parsed.protocol === 'rediss:' ? true : undefined,
    prefix: parsed.searchParams.get('prefix') ?? undefined,
  }
}

/** Without what is undefined. */
export const defined = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T

function checkPlaces(options: RedisOptions): void {
  const { url, cluster, sentinels, host, port, db } = options
  const places = [url && 'url', cluster && 'cluster', sentinels && 'sentinels'].filter(Boolean)
  if (places.length > 1) throw new ConfigurationError(`option ${places[1]}: cannot be given together with ${places[0]}`)
  if (places.length === 1 && (host !== undefined || port !== undefined))
    throw new ConfigurationError(
      `option ${host === undefined ? 'port' : 'host'}: cannot be given together with ${places[0]}`,
    )
  if (cluster && db) throw new ConfigurationError('option db: a Redis Cluster has only the database 0')
}

/**
 * The options with a URL taken apart.
 *
 * @throws ConfigurationError where they name several places, or the URL is none.
 */
export function placeOf({ url, ...options }: RedisOptions): RedisOptions {
  checkPlaces({ url, ...options })
  if (url === undefined) return options
  // How TLS is spoken is said by the option; the URL says only that it is.
  return { ...options, ...defined(ofUrl(url)), ...(options.tls !== undefined && { tls: options.tls }) }
}

const DEFAULT_NAME = 'bruno_memory'

/** Where a store is, without secrets; of options that have been taken apart. */
export function placeText(options: RedisOptions): string {
  const { host = '127.0.0.1', port = 6379, db = 0, cluster, sentinels, prefix = DEFAULT_NAME } = options
  const nodes = (cluster ?? sentinels)?.map((node) => `${node.host}:${node.port}`).join()
  return `redis ${nodes ?? `${host}:${port}`} ${db} ${prefix}`
}
