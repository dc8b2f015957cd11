import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { archiveSink } from '../../src/archive/transfer-sink.js'
import type { EmbeddingSpace } from '../../src/contract/embedder.js'
import type { BatchLimits, Carried, TransferScope, TransferSource } from '../../src/contract/transfer.js'
import { type JsonObject, RECORD_KINDS } from '../../src/model/records.js'

export const SPACE: EmbeddingSpace = { provider: 'records', model: 'm', dimensions: 4, metric: 'cosine' }
export const ALL: TransferScope = { kinds: RECORD_KINDS }
export const createdAt = new Date('2026-01-01T00:00:00.000Z')
const LIMITS: BatchLimits = { records: 3, bytes: 1_000_000 }

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

export async function freshPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-archive-'))
  folders.push(folder)
  return join(folder, 'memory.bma')
}

const IDS = ['a', 'A', 'é', 'e\u0301', '日本', '😀', "'; --", '"\\', 'a:b', ' ', '\u2028', '}']
const NESTED = JSON.parse(
  '{"a.b":{"list":[1,0.5,1e-7,null,{"deep":["é😀",""]}],"\\"":"\\\\","__proto__":{"x":1}},"":{"n":9007199254740991}}',
) as JsonObject
const at = new Date('0001-01-01T00:00:00.000Z')
const late = new Date('9999-12-31T23:59:59.999Z')

/** Negative zero, the smallest subnormal, the largest normal number, and one that no short decimal names. */
const AWKWARD = [-0, 1.401298464324817e-45, 3.4028234663852886e38, 1 / 3]
export const vectorOf = (i: number) => ({
  vector: Float32Array.from(AWKWARD, (_, j) => AWKWARD[(i + j) % 4] as number),
  hash: i % 2 ? new Uint8Array(32).map((_, j) => j * 7 + i) : new Uint8Array(),
})

const stamps = (tenantId: string) => ({ tenantId, createdAt: at, updatedAt: late, version: 3 })

function ofTenant(tenantId: string): Carried[] {
  const records: Carried[] = []
  for (const [i, id] of IDS.entries()) {
    const own = { id, ...stamps(tenantId), metadata: i % 2 ? NESTED : {} }
    const user = { ...own, name: i % 2 ? id : null, preferences: NESTED, profile: {}, lastActiveAt: i % 3 ? null : at }
    records.push({ kind: 'user', vector: null, record: user })
    const conversation = {
      ...own,
      userId: id,
      title: '',
      summary: null,
      tags: [id, ''],
      language: i % 2 ? 'german' : null,
      messageCount: 1,
      lastPosition: 7,
      expiresAt: late,
    }
    records.push({ kind: 'conversation', vector: null, record: conversation, ...(i === 4 && { made: true }) })
    const message = {
      ...own,
      conversationId: id,
      position: 7,
      parentId: null,
      role: 'user' as const,
      type: 'text' as const,
      content: i === 0 ? 'ü\r\n\t"'.repeat(200_000) : `${id}\u0001\u007f`,
      parts: i % 2 ? [NESTED, null, 'x'] : null,
      name: '',
      toolCallId: null,
      status: 'draft' as const,
    }
    records.push({ kind: 'message', vector: i % 4 ? vectorOf(i) : null, record: message, holder: id })
    const entry = { ...own, userId: id, conversationId: null, type: 'fact' as const, content: '', source: null }
    const numbers = { category: null, confidence: 0.1, importance: 1e-7, accessCount: 2 ** 53 - 1, relatedIds: [id] }
    records.push({
      kind: 'memory',
      vector: vectorOf(i + 1),
      record: { ...entry, ...numbers, tags: [], lastAccessedAt: null, expiresAt: at },
    })
  }
  return records
}

/** Of many kinds, in the order in which a transfer brings them, with values that are easily lost. */
export const sample: readonly Carried[] = [...ofTenant('default'), ...ofTenant('Default')].sort(
  (a, b) => RECORD_KINDS.indexOf(a.kind) - RECORD_KINDS.indexOf(b.kind),
)

export async function readAll(
  source: TransferSource,
  options: { scope?: TransferScope; limits?: BatchLimits; parts?: number; holders?: boolean } = {},
): Promise<Carried[]> {
  const { scope = ALL, limits = LIMITS, parts = 5, holders } = options
  const all: Carried[] = []
  for (const range of await source.ranges(scope, parts))
    for await (const { records } of source.read(range, { after: null, limits, tenantId: scope.tenantId, holders }))
      all.push(...records)
  return all
}

/** Batches of a few records, each acknowledged. */
export const batchesOf = (records: readonly Carried[], size = 5): Carried[][] =>
  Array.from(
    { length: Math.ceil(records.length / size) },
    (_, i) => records.slice(i * size, (i + 1) * size) as Carried[],
  )

export async function writeSample(path: string, records: readonly Carried[] = sample): Promise<void> {
  const sink = archiveSink(path, { createdAt, space: SPACE })
  await sink.open(null)
  for (const batch of batchesOf(records)) await sink.write(batch)
  await sink.finish()
  await sink.close()
}

export const bitsOf = ({ vector }: Carried): string =>
  vector ? Buffer.from(vector.vector.buffer, vector.vector.byteOffset, vector.vector.byteLength).toString('hex') : ''
