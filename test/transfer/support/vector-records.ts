import type { Memory, TenantMemory } from '../../../src/contract/memory.js'
import type {
  BatchLimits,
  Carried,
  TransferScope,
  TransferSink,
  TransferSource,
} from '../../../src/contract/transfer.js'
import { encodeVector } from '../../../src/embeddings/vector.js'
import type { JsonObject } from '../../../src/model/records.js'
import { MODEL_DIMENSIONS } from '../../conformance/vectors-fixtures.js'

export const ALL: TransferScope = { kinds: ['message', 'memory', 'document'] }
const LIMITS: BatchLimits = { records: 7, bytes: 1_000_000 }

/** Numbers of 32 bits that a decimal, a copy or a sign may lose. */
const AWKWARD = [-0, 1.401298464324817e-45, 1.1754942106924411e-38, 3.4e38, -0.1, 1 / 3, 1e-7, 16_777_217]
const vectorOf = (i: number): Float32Array =>
  Float32Array.from({ length: MODEL_DIMENSIONS }, (_, at) => AWKWARD[(at + i) % AWKWARD.length] as number)

/** Ids that are easily taken for one another, or for something else. */
export const IDS = [
  'a',
  'A',
  'a:b',
  'a:',
  ':a',
  '{a}',
  '}',
  '%',
  '%20',
  ' ',
  'a b',
  'é',
  'e\u0301',
  '日本',
  '😀',
  "'; --",
  '"',
]
export const TENANTS = ['ada', 'Ada:{%} é']

const NESTED: JsonObject = JSON.parse(
  `{"a.b":{"list":[1,0.5,1e-7,null,{"deep":["é😀",""]}],"\\"":"\\\\","__proto__":{"x":1}},"page":3,"none":null,"":"empty key"}`,
)
const LATER = new Date('9999-12-30T23:59:59.999Z')

/** Of every kind, with the values that are easily lost; some bring vectors, some have them made, some have none. */
async function fillTenant(memory: TenantMemory, past: Date): Promise<void> {
  for (const [i, conversation] of ['c', 'C', 'c:{d}% é'].entries())
    await memory.messages.append(
      conversation,
      IDS.map((id, at) => ({
        id,
        role: at % 2 ? 'assistant' : 'user',
        content: `ferry ${id} Ünïcödé 日本 😀\r\n\t ${at}`,
        ...(at % 3 === 0 && { vector: vectorOf(at) }),
        ...(at % 5 === 4 && { status: 'draft', parentId: IDS[at - 1] }),
        metadata: at % 2 ? NESTED : {},
      })),
      { userId: `user ${i}:é` },
    )
  await memory.messages.append(
    'c',
    [{ id: 'parts', role: 'assistant', parts: [{ call: { name: 'f', arguments: NESTED } }], toolCallId: 't' }],
    { userId: 'user 0:é' },
  )
  await memory.messages.update('c', 'a', { content: 'changed to a cello' })
  await memory.memories.addMany(
    IDS.map((id, at) => ({
      id,
      userId: id,
      conversationId: at % 2 ? 'c' : null,
      type: 'fact',
      content: `walnut ${id}`,
      tags: ['x', id],
      importance: [0, 0.1 + 0.2, 1 / 3, 0.9352756992289715, 1][at % 5],
      confidence: 0.1 * (at % 10),
      relatedIds: [id, 'nobody'],
      metadata: NESTED,
      createdAt: new Date(-62_000_000_000_000 + at),
      updatedAt: new Date(1_700_000_000_000 + at),
      accessCount: at,
      lastAccessedAt: at % 2 ? LATER : null,
      expiresAt: [LATER, null, past][at % 3],
      ...(at % 4 === 0 && { vector: vectorOf(at) }),
    })),
  )
  await memory.memories.update('A', { metadata: { changed: true } })
  for (const namespace of ['n', 'N', 'n/{%}:é'])
    await memory.documents.upsert(
      IDS.map((id, at) => ({
        namespace,
        id,
        content: `a garden ${id}\n\n`,
        metadata: { ...NESTED, at },
        expiresAt: [LATER, null, past][at % 3],
        ...(at % 2 === 0 && { vector: vectorOf(at) }),
      })),
    )
}

export async function fill(memory: Memory): Promise<void> {
  const past = new Date(Date.now() - 1000)
  for (const tenant of TENANTS) await fillTenant(memory.forTenant(tenant), past)
}

/** How many records `fill` makes in a tenant. */
export const FILLED = { message: IDS.length * 3 + 1, memory: IDS.length, document: IDS.length * 3 }
export const FILLED_ALL = TENANTS.length * (FILLED.message + FILLED.memory + FILLED.document)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** As it is compared: vectors by their bits. */
const plain = ({ kind, record, vector, holder, fault }: Carried) => ({
  kind,
  record,
  vector: vector && hex(encodeVector(vector.vector)),
  hash: vector && hex(vector.hash),
  holder,
  fault,
})

export type Plain = ReturnType<typeof plain>

const nameOf = ({ kind, record }: Plain): string => {
  const { tenantId, id, conversationId, namespace } = record as unknown as Record<string, string | null | undefined>
  return JSON.stringify([kind, tenantId, kind === 'memory' ? null : (conversationId ?? namespace), id])
}

/** Everything that batches hold, by name. */
export const byName = (records: Iterable<Carried>): Record<string, Plain> => {
  const all = [...records].map(plain)
  const named = Object.fromEntries(all.map((each) => [nameOf(each), each]))
  if (Object.keys(named).length !== all.length) throw new Error('a record was told twice')
  return named
}

interface Reading {
  readonly scope?: TransferScope
  readonly limits?: BatchLimits
  /** About so many records in a range. */
  readonly records?: number
}

/** Every batch of a source, with where it stands. */
export async function* batches(source: TransferSource, { scope = ALL, limits = LIMITS, records = 20 }: Reading = {}) {
  for (const range of await source.ranges(scope, records))
    for await (const batch of source.read(range, { after: null, limits, tenantId: scope.tenantId }))
      yield { range, batch }
}

export async function readAll(source: TransferSource, reading: Reading = {}): Promise<Carried[]> {
  const all: Carried[] = []
  for await (const { batch } of batches(source, reading)) all.push(...batch.records)
  return all
}

/** Moves everything; answers what became of it in sum. */
export async function move(source: TransferSource, sink: TransferSink, reading: Reading = {}) {
  const total = { written: 0, present: 0, refused: [] as string[] }
  await sink.open(null)
  for await (const { batch } of batches(source, reading)) {
    const { written, present, refused } = await sink.write(batch.records)
    total.written += written
    total.present += present
    total.refused.push(...refused.map(({ reason }) => reason))
  }
  await sink.finish()
  return total
}
