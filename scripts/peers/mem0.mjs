// mem0's open-source memory with `infer: false`, which stores what it is given and asks no language model. It has one
// store: a record is the payload of its vector. Its ids are its own, and its listings have no pages.
import { Memory } from 'mem0ai/oss'
import { DIMENSIONS, embed } from './embed.mjs'

const model = { embedDocuments: async (texts) => texts.map(embed), embedQuery: async (text) => embed(text) }

export async function openMem0({ qdrant }) {
  const memory = new Memory({
    embedder: { provider: 'langchain', config: { model, embeddingDims: DIMENSIONS } },
    vectorStore: { provider: 'qdrant', config: { collectionName: 'mem0', dimension: DIMENSIONS, url: qdrant } },
    // Never asked.
    llm: { provider: 'openai', config: { apiKey: 'none', baseURL: 'http://127.0.0.1:9' } },
    historyStore: { provider: 'memory', config: {} },
  })
  const ids = new Map()
  const keyOf = ({ tenant, thread, id }) => JSON.stringify([tenant, thread, id])
  return {
    vectorsInQdrant: true,
    // Beside it are vectors of names that occur in texts, which are no records.
    collections: ['mem0'],
    ownIds: false,
    pages: false,
    async save(message) {
      const { tenant, thread, text } = message
      const added = await memory.add([{ role: 'user', content: text }], { userId: tenant, runId: thread, infer: false })
      ids.set(keyOf(message), added.results[0].id)
    },
    edit: (message) => memory.update(ids.get(keyOf(message)), { text: message.text }),
    remove: (message) => memory.delete(ids.get(keyOf(message))),
    removeThread: ({ tenant, thread }) => memory.deleteAll({ userId: tenant, runId: thread }),
    async texts({ tenant, thread }) {
      const all = await memory.getAll({ filters: { user_id: tenant, run_id: thread }, topK: 1000 })
      return all.results.map((each) => each.memory)
    },
    async find({ tenant, text }) {
      const found = await memory.search(text, { filters: { user_id: tenant }, topK: 10 })
      return found.results.map((each) => each.memory)
    },
    settled: async () => undefined,
    close: async () => undefined,
  }
}
