import { randomUUID } from 'node:crypto'
import { prepare } from '../../../src/backend.js'
import { ChromaStore } from '../../../src/backends/chromadb/store.js'
import { chromaTransferSource } from '../../../src/backends/chromadb/transfer-source.js'
import { QdrantStore } from '../../../src/backends/qdrant/store.js'
import { qdrantTransferSource } from '../../../src/backends/qdrant/transfer-source.js'
import type { VectorStore } from '../../../src/backends/vector/store.js'
import type { Backend } from '../../../src/contract/backend.js'
import type { Memory } from '../../../src/contract/memory.js'
import type { TransferSink, TransferSource } from '../../../src/contract/transfer.js'
import { createBackend } from '../../../src/index.js'

export interface VectorEndOptions {
  readonly embeddingDimensions?: number
  readonly [name: string]: unknown
}

/** A collection that nobody has used before, as a backend and as a memory over the same place. */
export interface OpenEnd {
  readonly backend: Backend
  readonly collection: string
  /** Another memory on it. */
  memory(more?: object): Memory
  /** Another backend on it. */
  again(more?: object): Promise<Backend>
  store(): VectorStore
  /** A source that opens it as it is; of another name where one is given. */
  asIs(collectionName?: string): Promise<TransferSource>
  remove(): Promise<void>
}

function placeOf(name: string, url: string): object {
  if (name === 'qdrant') return { url }
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}

/** @param name `qdrant` or `chromadb`. */
export async function openEnd(name: string, url: string, given: VectorEndOptions): Promise<OpenEnd> {
  const collection = `transfer-${randomUUID()}`
  const options = { ...placeOf(name, url), collectionName: collection, callTimeout: 20_000, ...given }
  const opened: Backend[] = []
  const memories: Memory[] = []
  const again = async (more: object = {}): Promise<Backend> => {
    const backend = await prepare(name, { ...options, ...more }).load()
    await backend.open()
    opened.push(backend)
    return backend
  }
  const store = (): VectorStore => (name === 'qdrant' ? new QdrantStore(options) : new ChromaStore(options))
  const asIs = name === 'qdrant' ? qdrantTransferSource : chromaTransferSource
  return {
    backend: await again(),
    collection,
    again,
    store,
    asIs: (collectionName = collection) => asIs({ ...options, collectionName }),
    memory(more = {}) {
      const memory = createBackend(name as string, { ...options, ...more })
      memories.push(memory)
      return memory
    },
    async remove() {
      await Promise.all(memories.map((memory) => memory.close()))
      await Promise.all(opened.map((backend) => backend.close()))
      if (name !== 'qdrant') return
      // Collections with their indexes weigh on a server that all tests share.
      const dropped = new QdrantStore(options)
      await dropped.drop()
      await dropped.close()
    },
  }
}

export const sourceOf = ({ transferring }: Backend): TransferSource => {
  const source = transferring?.source?.()
  if (!source) throw new Error('there is no source')
  return source
}

export const sinkOf = ({ transferring }: Backend): TransferSink => {
  const sink = transferring?.sink?.()
  if (!sink) throw new Error('there is no sink')
  return sink
}
