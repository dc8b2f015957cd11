// This memory: SQLite for the truth, Qdrant for vectors.
import { join } from 'node:path'
import { createMemory } from '../../src/index.ts'
import { DIMENSIONS, embed } from './embed.mjs'

const embeddingFunction = { embedDocuments: async (texts) => texts.map(embed), embedQuery: async (text) => embed(text) }

/** @param at All that happens, happens at this instant: times are the memory's own, and no caller gives them. */
export async function openBrunoMemory({ folder, qdrant, at }) {
  const memory = createMemory({
    primary: { backend: 'sqlite', databasePath: join(folder, 'memory.db') },
    semantic: { backend: 'qdrant', url: qdrant, callTimeout: 2000 },
    embeddingFunction,
    embeddingModel: 'toy',
    embeddingDimensions: DIMENSIONS,
    tenancy: 'required',
    ...(at && { clock: () => at.getTime() }),
  })
  await memory.connect()
  const of = (tenant) => memory.forTenant(tenant).messages
  return {
    vectorsInQdrant: true,
    save: ({ tenant, thread, id, text }) =>
      of(tenant).upsert(thread, [{ id, role: 'user', content: text }], { userId: tenant }),
    edit: ({ tenant, thread, id, text }) => of(tenant).update(thread, id, { content: text }),
    remove: ({ tenant, thread, id }) => of(tenant).delete(thread, id),
    removeThread: ({ tenant, thread }) => memory.forTenant(tenant).conversations.delete(thread),
    texts: async ({ tenant, thread }) =>
      (await of(tenant).list(thread, { last: 1000 })).items.map(({ content }) => content),
    async find({ tenant, text }) {
      const hits = await memory.forTenant(tenant).search({ text, mode: 'vector', kinds: ['message'] })
      return hits.map(({ record }) => record.content)
    },
    async page({ tenant, thread, cursor, size }) {
      const { items, before, hasMore } = await of(tenant).list(
        thread,
        cursor ? { before: cursor, limit: size } : { last: size },
      )
      return { texts: items.map(({ content }) => content).reverse(), cursor: hasMore ? before : null }
    },
    settled: () => memory.settle().catch(() => undefined),
    close: () => memory.close(),
  }
}
