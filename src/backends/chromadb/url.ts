import type { ChromaOptions } from '../../contract/options.js'
import { ConfigurationError } from '../../errors.js'

const HINT = 'such as chroma://127.0.0.1:8000/bruno_memory, or chroma:./folder for a server of its own'

/** The options of `chroma://host:port/collection` (`chromas:` for https), or of `chroma:./folder` for local mode. */
export function chromaUrl(url: string): Partial<ChromaOptions> {
  const [, secure, rest = ''] = /^chroma(s?):(.*)$/s.exec(url) ?? []
  if (!rest.startsWith('//')) {
    if (secure || rest === '') throw new ConfigurationError(`the URL of ChromaDB cannot be read: it is ${HINT}`)
    return { persistDirectory: rest }
  }
  let parsed: URL
  try {
    // Of a scheme that is not known, the parser reads neither host nor port.
    parsed = new URL(`http${secure}:${rest}`)
    decodeURIComponent(parsed.pathname)
  } catch {
    throw new ConfigurationError(`the URL of ChromaDB cannot be read: it is ${HINT}`)
  }
  const [collectionName = '', ...others] = parsed.pathname.slice(1).split('/')
  if (others.length > 0 || parsed.search !== '' || parsed.username !== '' || parsed.password !== '')
    throw new ConfigurationError(
      'the URL of ChromaDB takes a collection as its path, and nothing else; use the options',
    )
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    ...(parsed.port && { port: Number(parsed.port) }),
    ...(secure && { ssl: true }),
    ...(collectionName && { collectionName: decodeURIComponent(collectionName) }),
  }
}
