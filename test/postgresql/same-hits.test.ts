import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { SearchQuery } from '../../src/contract/search.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'

let url: string
let both: readonly [sqlite: Memory, postgresql: Memory]
beforeEach(async () => {
  url = await freshDatabase()
  both = [createBackend('sqlite::memory:'), createBackend('postgresql', { connectionString: url })]
})
afterEach(async () => {
  await Promise.all(both.map((memory) => memory.close()))
  await returnDatabases()
})
afterAll(leaveServer)

const WORDS =
  "lisbon moved moving lake train garden painted painting she's café naïve 東京 大阪 работа книги 3.14 x86 o'clock re-do the of".split(
    ' ',
  )
const sentence = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 12 }).map((words) => words.join(' '))

/** What a search answers, as far as both engines must agree: which records, and how good. */
async function hits(memory: Memory, query: SearchQuery) {
  const found = await memory.search({ ...query, limit: 50 })
  return found.map(({ kind, record, score }) => `${kind} ${record.id} ${score.toFixed(9)}`).sort()
}

describe('both SQL engines', () => {
  test('find the same rows with the same scores for the same data', async () => {
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(sentence, { minLength: 5, maxLength: 45 }),
        fc.array(sentence, { minLength: 1, maxLength: 6 }),
        async (texts, questions) => {
          const tenant = `t${round++}`
          for (const memory of both) {
            const of = memory.forTenant(tenant)
            await of.messages.append(
              'c',
              texts.map((content, i) => ({ id: `m${i}`, role: 'user', content })),
              { userId: 'ada' },
            )
            await of.memories.addMany(
              texts.map((content, i) => ({ id: `f${i}`, userId: 'ada', content, tags: ['lake'] })),
            )
            await of.documents.upsert(texts.map((content, i) => ({ id: `d${i}`, namespace: 'n', content })))
          }
          for (const text of questions)
            for (const query of [
              { text },
              { text, kinds: ['message'] as const, neighbours: false },
              { text, userId: 'ada' },
            ]) {
              const [mine, theirs] = await Promise.all(
                both.map((memory) => hits(memory.forTenant(tenant) as Memory, query)),
              )
              expect(theirs).toEqual(mine)
            }
        },
      ),
      { numRuns: 12 },
    )
  })

  test('take a text of any length, and find it by what stands before the bound of the index', async () => {
    // A tsvector holds at most 1,048,575 bytes, and one lexeme at most 2,046.
    const long = `needle ${Array.from({ length: 120_000 }, (_, i) => `w${i}`).join(' ')} ${'x'.repeat(5000)}`
    for (const memory of both) {
      await memory.messages.append('c', { id: 'long', role: 'user', content: long }, { userId: 'ada' })
      expect((await memory.messages.get('c', 'long'))?.content.length).toBe(long.length)
      expect((await memory.search({ text: 'needle' })).map(({ record }) => record.id)).toEqual(['long'])
    }
  })
})

describe('the plans', () => {
  test('of the hot statements are those of their indexes', async () => {
    const [, memory] = both
    const words = ['alpha', 'beta', 'gamma', 'delta', 'lake', 'train', 'garden']
    for (let i = 0; i < 20; i++)
      await memory.messages.append(
        `c${i}`,
        Array.from({ length: 300 }, (_, j) => ({ role: 'user' as const, content: `${words[(i + j) % 7]} filler${j}` })),
        { userId: 'ada' },
      )
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    await sql.unsafe('vacuum analyze')
    // As our own connections have it.
    await sql.unsafe('set random_page_cost = 1.1')
    const plan = async (query: string): Promise<string> =>
      (await sql.unsafe(`explain ${query}`)).map((row) => String(row['QUERY PLAN'])).join('\n')
    const [{ term } = { term: '' }] =
      await sql`select (tsvector_to_array(search_vector))[1] as term from bruno_messages limit 1`
    const tenant = "tenant_id = 'default'"
    expect(
      await plan(
        `select * from bruno_messages where ${tenant} and conversation_id = 'c1' and position < 200 order by position desc limit 50`,
      ),
    ).toContain('bruno_messages_position')
    expect(
      await plan(
        `select seq from bruno_messages where search_vector @@ '${term}'::tsquery and ${tenant} order by length(search_text) desc limit 50`,
      ),
    ).toContain('bruno_messages_search')
    expect(
      await plan(
        `select m.* from (select (r.value ->> 0)::bigint as seq from jsonb_array_elements('[[1],[2]]') as r offset 0) as s join bruno_messages m on m.seq = s.seq where m.${tenant}`,
      ),
    ).toContain('bruno_messages_seq')
    await sql.end()
  })

  test('a sweep passes over what somebody has in hand, and waits for nobody', async () => {
    let now = Date.UTC(2040, 0, 1)
    const memory = createBackend('postgresql', { connectionString: url, clock: () => now, statementTimeout: 3000 })
    await memory.memories.addMany(
      Array.from({ length: 30 }, (_, i) => ({
        id: `m${i}`,
        userId: 'ada',
        content: 'x',
        expiresAt: new Date(now + 1000),
      })),
    )
    now += 5000
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    await sql.begin(async (tx) => {
      await tx`select id from bruno_memories where id = 'm3' for update`
      expect(await memory.sweep({ batch: 10 })).toMatchObject({ memories: 29 })
    })
    expect(await memory.sweep()).toMatchObject({ memories: 1 })
    await sql.end()
    await memory.close()
  })
})
