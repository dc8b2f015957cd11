import { createRequire } from 'node:module'

/** What is used of a collection of the client. */
export interface Vectors {
  add(records: { ids: string[]; embeddings: number[][] }): Promise<unknown>
  get(options: { ids?: string[] }): Promise<{ readonly ids: readonly string[] }>
  count(): Promise<number>
}

interface Client {
  getOrCreateCollection(options: { name: string; embeddingFunction: null }): Promise<Vectors>
}

const clients = createRequire(new URL('../ground/package.json', import.meta.url))

/** The one collection of these tests, by the real client. */
export function vectorsOf(port: number): Promise<Vectors> {
  const { ChromaClient } = clients('chromadb') as { ChromaClient: new (options: object) => Client }
  const client = new ChromaClient({ host: '127.0.0.1', port, ssl: false })
  return client.getOrCreateCollection({ name: 'vectors', embeddingFunction: null })
}
