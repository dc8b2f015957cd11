import postgres from 'postgres'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { prepare } from '../../src/backend.js'
import type { SqlFollowed } from '../../src/backends/sql/followed.js'
import { Outbox } from '../../src/backends/sql/outbox.js'
import { createMemory } from '../../src/index.js'
import { makeMemory } from '../../src/memory.js'
import { SEARCH_KINDS } from '../../src/model/records.js'
import { freshDatabase, returnDatabases } from '../postgresql/support/databases.js'
import { PRIMARIES, SEMANTIC } from './composition.js'
import { DIMENSIONS, vectorOf } from './support/vectors.js'

afterAll(returnDatabases)

const entry = (id: string) => ({ id, userId: 'ada', content: `text ${id}`, vector: vectorOf(`text ${id}`) })

/** A primary that is followed, and what its follower is still to be told. */
async function followed(url: string) {
  const { capabilities, load } = prepare(url, { embeddingDimensions: DIMENSIONS })
  const backend = await load({ semantic: { nearest: async () => [] } })
  const memory = makeMemory({ capabilities, tenancy: 'optional', clock: Date.now, load: async () => backend })
  onTestFinished(() => memory.close())
  await memory.connect()
  const { store, runner, follow } = backend.followed as SqlFollowed
  const plan = { name: 'semantic', kind: 'semantic', kinds: SEARCH_KINDS, place: 'somewhere' } as const
  await follow.call(backend.followed, plan)
  const outbox = (owner: string) => new Outbox(store, runner, { follower: 'semantic', owner, lease: 60_000 })
  return { memory, outbox }
}

const idsOf = (entries: readonly { readonly recordId: string }[]): string[] =>
  entries.map((each) => each.recordId).sort()

describe.each(Object.entries(PRIMARIES))('what is to be told, in %s', (_, freshPrimary) => {
  test('is taken further without what its owner has, and not by anybody else', async () => {
    const { memory, outbox } = await followed(await freshPrimary())
    await memory.memories.addMany(['a', 'b', 'c'].map(entry))
    const [mine, theirs] = [outbox('me'), outbox('somebody else')]
    const first = await mine.claim(1)
    const further = await mine.claim(10, true)
    expect(idsOf([...first, ...further])).toEqual(['a', 'b', 'c'])
    expect(await theirs.claim(10)).toEqual([])
    await mine.finish([...first, ...further])
    expect(await mine.report()).toEqual({ pending: 0, parked: 0 })
  })

  test('waits for its turn once more where it was written again, and is told as it is then', async () => {
    const { memory, outbox } = await followed(await freshPrimary())
    await memory.memories.addMany(['a', 'b'].map(entry))
    const mine = outbox('me')
    const taken = await mine.claim(1)
    const [before] = taken
    await memory.memories.update(before?.recordId ?? '', { importance: 0.9 })
    await mine.finish(taken)
    const further = await mine.claim(10, true)
    expect(idsOf(further)).toEqual(['a', 'b'])
    const again = further.find(({ recordId }) => recordId === before?.recordId)
    expect(again?.revision).toBeGreaterThan(before?.revision ?? Number.POSITIVE_INFINITY)
  })
})

test('a new PostgreSQL knows how its tables have grown when a thousand records were told', async () => {
  const primary = await freshDatabase()
  const semantic = (SEMANTIC.qdrant as () => string)()
  await using memory = createMemory({ primary, semantic, settle: 'off', embeddingDimensions: DIMENSIONS })
  await memory.connect()
  const sql = postgres(primary, { max: 1, onnotice: () => undefined })
  onTestFinished(() => sql.end())
  const tables = ['bruno_memories', 'bruno_embeddings']
  // The server would look by itself, some time in the first minute.
  for (const table of tables) await sql.unsafe(`alter table ${table} set (autovacuum_enabled = false)`)
  const known = async () =>
    (await sql`select reltuples from pg_class where relname in ${sql(tables)}`).map(({ reltuples }) =>
      Number(reltuples),
    )
  const some = (from: number, n: number) => Array.from({ length: n }, (_, i) => entry(`e${from + i}`))
  await memory.memories.addMany(some(0, 500))
  await memory.memories.addMany(some(500, 500))
  expect(Math.max(...(await known()))).toBeLessThanOrEqual(0)
  await memory.settle()
  expect(await known()).toEqual([1000, 1000])
})
