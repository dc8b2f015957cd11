// Mastra's memory: LibSQLStore for rows; LibSQLVector in the same file or Qdrant for vectors. Scope of recall: the resource.
import { join } from 'node:path'
import { LibSQLStore, LibSQLVector } from '@mastra/libsql'
import { Memory } from '@mastra/memory'
import { QdrantVector } from '@mastra/qdrant'
import { embed } from './embed.mjs'

const embedder = {
  specificationVersion: 'v2',
  provider: 'toy',
  modelId: 'toy',
  maxEmbeddingsPerCall: 64,
  supportsParallelCalls: false,
  doEmbed: async ({ values }) => ({ embeddings: values.map(embed), usage: { tokens: values.length } }),
}

const messageOf = ({ tenant, thread, id, text, at }) => ({
  id,
  role: 'user',
  type: 'text',
  createdAt: at,
  threadId: thread,
  resourceId: tenant,
  content: { format: 2, content: text, parts: [{ type: 'text', text }] },
})

const textsOf = ({ messages }) => messages.map(({ content }) => content.content)

export const makeMastra = (kind) =>
  async function open({ folder, qdrant, dieAtVector = false }) {
    const url = `file:${join(folder, 'mastra.db')}`
    const vector = kind === 'libsql' ? new LibSQLVector({ id: 'v', url }) : new QdrantVector({ id: 'v', url: qdrant })
    // Where there is no server between the two, the process ends here.
    if (dieAtVector && kind === 'libsql') vector.upsert = () => process.kill(process.pid, 'SIGKILL')
    const storage = new LibSQLStore({ id: 's', url })
    const options = { lastMessages: 1000, semanticRecall: { topK: 10, messageRange: 0, scope: 'resource' } }
    const memory = new Memory({ storage, vector, embedder, options })
    const known = new Set()
    const thread = async ({ tenant, thread: id, at }) => {
      if (known.has(`${tenant} ${id}`)) return
      known.add(`${tenant} ${id}`)
      await memory.saveThread({
        thread: { id, resourceId: tenant, title: id, createdAt: at, updatedAt: at, metadata: {} },
      })
    }
    return {
      vectorsInQdrant: kind === 'qdrant',
      async save(message) {
        await thread(message)
        await memory.saveMessages({ messages: [messageOf(message)] })
      },
      edit: ({ id, text }) =>
        memory.updateMessages({
          messages: [{ id, content: { format: 2, content: text, parts: [{ type: 'text', text }] } }],
        }),
      remove: ({ id }) => memory.deleteMessages([id]),
      removeThread: ({ thread: id }) => memory.deleteThread(id),
      texts: async ({ tenant, thread: threadId }) =>
        textsOf(await memory.recall({ threadId, resourceId: tenant, perPage: false })),
      async find({ tenant, thread: threadId, text }) {
        const asked = { threadId, resourceId: tenant, perPage: 0, vectorSearchString: text }
        return textsOf(await memory.recall(asked))
      },
      async page({ tenant, thread: threadId, cursor: page = 0, size }) {
        const orderBy = { field: 'createdAt', direction: 'DESC' }
        const found = await memory.recall({ threadId, resourceId: tenant, perPage: size, page, orderBy })
        return { texts: textsOf(found), cursor: found.hasMore ? page + 1 : null }
      },
      async vectors() {
        const found = []
        for (const indexName of await vector.listIndexes()) {
          const query = { indexName, queryVector: embed('any'), topK: 1000, includeVector: true }
          for (const each of await vector.query(query)) found.push(each.vector)
        }
        return found
      },
      settled: () => memory.settled(),
      close: async () => {
        await memory.settled()
        await vector.close?.()
        await storage.close?.()
      },
    }
  }
