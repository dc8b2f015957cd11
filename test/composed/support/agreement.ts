import { isDeepStrictEqual } from 'node:util'
import { keyOf } from '../../../src/backends/vector/point.js'
import type { Memory } from '../../../src/contract/memory.js'
import { normalize } from '../../../src/embeddings/vector.js'
import type { EnginePeek } from './engine.js'
import type { PrimaryPeek, StoredRecord } from './primary.js'
import { vectorOf } from './vectors.js'

/** How the stores of one memory differ. */
export interface Differences {
  /** Records in the primary that have a vector. */
  records: number
  /** In the primary only. */
  lost: number
  /** In the semantic store only. */
  phantom: number
  /** Twice in the semantic store. */
  duplicates: number
  /** In both, with another revision, field or vector. */
  stale: number
  /** Answers of the cache that are not the primary's. */
  windows: number
  readonly wrong: string[]
}

export const noDifferences = (): Differences => ({
  records: 0,
  lost: 0,
  phantom: 0,
  duplicates: 0,
  stale: 0,
  windows: 0,
  wrong: [],
})

const bits = (vector: ArrayLike<number>): string => Buffer.from(Float32Array.from(vector).buffer).toString('hex')

/** What the primary has and what the engine has, record by record and bit by bit. */
export async function compareStores(peek: PrimaryPeek, engine: EnginePeek | null, into: Differences): Promise<void> {
  const stored = await peek.records()
  const embedded = [...stored.values()].filter((record) => record.vector !== null)
  into.records += embedded.length
  for (const { content, vector, id } of engine ? embedded : [])
    if (bits(vector as Float32Array) !== bits(vectorOf(content))) into.wrong.push(`${id}: the vector of another text`)
  const orphans = await peek.orphans()
  if (orphans > 0) into.wrong.push(`${orphans} vectors of no record in the primary`)
  if (!engine) return
  const expected = new Map(embedded.map((each) => [keyOf(each.tenant, each.kind, each.scope, each.id), each]))
  const seen = new Set<string>()
  const count = (name: 'lost' | 'phantom' | 'duplicates' | 'stale', text: string): void => {
    into[name]++
    into.wrong.push(`${name}: ${text}`)
  }
  for (const { key, payload, vector } of await engine.points()) {
    const record = expected.get(key)
    if (seen.has(key)) count('duplicates', key)
    seen.add(key)
    if (!record) count('phantom', `${key} ${payload.id}`)
    else if (!isAs(record, payload, vector)) count('stale', `${record.kind} ${record.tenant} ${record.id}`)
  }
  for (const [key, { kind, tenant, id }] of expected) if (!seen.has(key)) count('lost', `${kind} ${tenant} ${id}`)
}

function isAs(record: StoredRecord, payload: Readonly<Record<string, unknown>>, vector: readonly number[]): boolean {
  const { seq } = JSON.parse(String(payload.rest)) as { seq: number }
  return (
    payload.revision === record.revision &&
    seq === record.seq &&
    bits(vector) === bits(normalize(record.vector as Float32Array))
  )
}

/** What another process reads through the cache, twice, and what the primary alone says. */
export async function compareWindows(
  cached: Memory,
  plain: Memory,
  tenants: readonly string[],
  into: Differences,
): Promise<void> {
  for (const name of tenants) {
    const [through, direct] = [cached.forTenant(name), plain.forTenant(name)]
    for (const conversation of ['c0', 'c1', 'c2']) {
      const expected = await direct.messages.list(conversation)
      for (const look of [1, 2])
        if (!isDeepStrictEqual(await through.messages.list(conversation), expected)) {
          into.windows++
          into.wrong.push(`${name} ${conversation}: the cache answers something else at look ${look}`)
        }
    }
    for (const namespace of ['n0', 'n1'])
      for (let i = 0; i < 8; i++) {
        const value = await through.cache.get(`${namespace} d${i}`)
        const document = await direct.documents.get(namespace, `d${i}`)
        if (value === null || value === document?.content) continue
        into.windows++
        into.wrong.push(`${name} ${namespace} d${i}: the cache has a value that no committed unit left`)
      }
  }
}
