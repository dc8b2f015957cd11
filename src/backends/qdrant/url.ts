import type { QdrantOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'

const HINT = 'such as qdrant://127.0.0.1:6333/bruno_memory, or qdrants://:key@host:6333/bruno_memory'

/**
 * The options of `qdrant://:key@host:port/collection`; `qdrants:` for https. An error does not repeat the URL, because it
 * may carry the key.
 */
export function qdrantUrl(url: string): Partial<QdrantOptions> {
  let parsed: URL
  try {
    // Of a scheme that is not known, the parser reads neither host nor port.
    parsed = new URL(url.replace(/^qdrant(s?):/, 'http$1:'))
    for (const part of [parsed.username, parsed.password, parsed.pathname]) decodeURIComponent(part)
  } catch {
    throw new ConfigurationError(`the URL of Qdrant cannot be read: it is ${HINT}`)
  }
  const [collectionName = '', ...rest] = parsed.pathname.slice(1).split('/')
  if (rest.length > 0 || parsed.search !== '')
    throw new ConfigurationError('the URL of Qdrant takes a collection as its path, and no parameter; use the options')
  const apiKey = decodeURIComponent(parsed.password || parsed.username)
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    ...(parsed.port && { port: Number(parsed.port) }),
    ...(parsed.protocol === 'https:' && { https: true }),
    ...(apiKey && { apiKey }),
    ...(collectionName && { collectionName: decodeURIComponent(collectionName) }),
  }
}
