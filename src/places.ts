import { resolve } from 'node:path'
import { placeOf, placeText } from './backends/redis/place.js'
import type { ChromaOptions, QdrantOptions, RedisOptions } from './contract/options.js'

/** Where stores that follow a primary are, without secrets: what stands on record beside the primary's data. */

const DEFAULT_NAME = 'bruno_memory'

export function qdrantPlace({ url, host = '127.0.0.1', port = 6333, collectionName = DEFAULT_NAME }: QdrantOptions) {
  if (url === undefined) return `qdrant ${host}:${port} ${collectionName}`
  const { hostname, port: ofUrl, pathname } = new URL(url)
  return `qdrant ${hostname}:${ofUrl || 6333}${pathname.replace(/\/+$/, '')} ${collectionName}`
}

export function chromaPlace(options: ChromaOptions): string {
  const { persistDirectory, host = '127.0.0.1', port = 8000, collectionName = DEFAULT_NAME } = options
  const { chromaTenant = 'default_tenant', chromaDatabase = 'default_database' } = options
  const at = persistDirectory === undefined ? `${host}:${port}` : resolve(persistDirectory)
  return `chromadb ${at} ${chromaTenant} ${chromaDatabase} ${collectionName}`
}

export const redisPlace = (options: RedisOptions): string => placeText(placeOf(options))
