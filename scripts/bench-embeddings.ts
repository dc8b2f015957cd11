// `npm run bench:embeddings`: a text whose vector is in the cache, against the offline model, in the same run, in turn; medians.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisEmbeddingCache } from '../src/backends/redis/embedding-cache.js'
import { SqliteEmbeddingCache } from '../src/backends/sqlite/embedding-cache.js'
import type { EmbeddingCache } from '../src/contract/embedder.js'
import { cachedEmbedder } from '../src/embeddings/cached.js'
import { createEmbedder } from '../src/embeddings/embedder.js'
import { startRedis } from '../test/ground/index.js'
import { compare, print, type Result } from './bench/measure.js'
import { sentences } from './bench/sentences.js'

const quick = process.argv.includes('--quick')
const KNOWN = 500
const next = sentences()
const known = Array.from({ length: KNOWN }, (_, i) => `${next()} ${i}`)
const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-bench-'))
const redis = await startRedis({ own: true })
const model = createEmbedder({ embeddingFunction: 'offline' })

async function measured(name: string, cache: EmbeddingCache): Promise<Result> {
  const count = async () => (text: string) => text.length
  const cached = cachedEmbedder(model, { cache, dimensions: 512, onEmbedding: null, count })
  await cached.embedDocuments(known)
  let i = 0
  return compare({
    name: `one text from the cache, ${name}`,
    goal: 50,
    rounds: quick ? 5 : 30,
    calls: 10,
    warm: 20,
    ours: () => cached.embedDocuments([known[i++ % KNOWN] as string]),
    raw: () => model.embedDocuments([`${next()} ${i++}`]),
  })
}

try {
  const file = new SqliteEmbeddingCache(join(folder, 'embeddings.db'))
  const server = new RedisEmbeddingCache({ url: redis.url })
  print([await measured('an SQLite file', file), await measured('Redis', server)])
  await file.close()
  await server.close()
} finally {
  await model.close()
  await redis.stop()
  await rm(folder, { recursive: true })
}
