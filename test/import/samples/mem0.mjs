// Memories of mem0: its history file, and the file of vectors beside it, which alone says whose each memory is.
import { copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

process.env.MEM0_TELEMETRY = 'false'
const { Memory } = await import('mem0ai/oss')

// It makes names of further files of one that ends so.
const folder = mkdtempSync(join(tmpdir(), 'mem0-'))
const [history, vectors] = ['history.db', 'vectors.db'].map((name) => join(folder, name))

const embed = (text) => [text.length, text.charCodeAt(0), 1, 0].map((n) => n / 100)
const model = { embedDocuments: async (texts) => texts.map(embed), embedQuery: async (text) => embed(text) }
const answers = []
/** A model that finds in a conversation what it was told to find. */
const chat = { invoke: async () => ({ content: JSON.stringify({ memory: answers.shift() ?? [] }) }) }
const memory = new Memory({
  embedder: { provider: 'langchain', config: { model, embeddingDims: 4 } },
  vectorStore: { provider: 'memory', config: { collectionName: 'mem0', dimension: 4, dbPath: vectors } },
  llm: { provider: 'langchain', config: { model: chat } },
  historyStore: { provider: 'sqlite', config: { historyDbPath: history } },
})
const add = async (text, more, metadata) => {
  const { results } = await memory.add([{ role: 'user', content: text }], { ...more, metadata, infer: false })
  return results[0].id
}

answers.push([{ id: '0', text: 'User moved to Lisbon in May', attributed_to: 'user' }])
await memory.add(
  [
    { role: 'user', content: 'I moved to Lisbon in May. 🌞' },
    { role: 'assistant', content: 'How nice!' },
  ],
  { userId: 'ada', runId: 'trip' },
)
const soup = await add('likes soup', { userId: 'ben', agentId: 'cook' }, { category: 'food' })
await memory.update(soup, { text: 'likes caldo verde' })
await memory.delete(await add('likes rain', { userId: 'ada' }))
await add('is allergic to walnuts', { userId: 'ada' })
await memory.add('has a ticket', { userId: 'ada', expirationDate: '2020-01-31', infer: false })
copyFileSync(history, 'mem0.sqlite')
copyFileSync(vectors, 'mem0-vectors.sqlite')
