import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { CommonOptions } from '../../src/contract/options.js'
import { wordModel } from '../conformance/vectors-fixtures.js'

type Options = Partial<CommonOptions>

/** How a backend is opened on a collection of the shared server. */
export interface Kind {
  readonly name: 'qdrant' | 'chromadb'
  at(collectionName: string, options: Options): Memory
  /** A collection without points for vectors of these options. */
  fresh(options: Options): string
  /** What becomes of a collection when its test is over. */
  leave(collectionName: string, options: Options): Promise<void>
}

// Through `object`: the names of what a backend lacks are no concern of tests that run on both.
const made = (name: 'qdrant' | 'chromadb', options: object): Memory => createBackend(name as string, options)

/** Making a collection takes half a second for its indexes: emptied, it serves the next test of the same space. */
const empty = new Map<string, string[]>()
function spaceOf({ embeddingFunction, embeddingDimensions, embeddingModel, distanceMetric }: Options): string {
  const { model, dimensions } = (embeddingFunction ?? {}) as { model?: string; dimensions?: number }
  return JSON.stringify([model, dimensions, embeddingDimensions, embeddingModel, distanceMetric])
}

async function emptied(collection: string): Promise<boolean> {
  const url = `${inject('servers').QDRANT_URL}/collections/${collection}/points/delete?wait=true`
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ filter: {} }) })
  return answer.ok
}

const qdrant: Kind = {
  name: 'qdrant',
  at: (collectionName, options) => made('qdrant', { url: inject('servers').QDRANT_URL, collectionName, ...options }),
  fresh: (options) => empty.get(spaceOf(options))?.pop() ?? `test-${randomUUID()}`,
  async leave(collectionName, options) {
    if (!(await emptied(collectionName))) return
    const space = spaceOf(options)
    empty.set(space, [...(empty.get(space) ?? []), collectionName])
  },
}

const chromadb: Kind = {
  name: 'chromadb',
  at(collectionName, options) {
    const { hostname, port } = new URL(inject('servers').CHROMA_URL)
    return made('chromadb', { host: hostname, port: Number(port), collectionName, ...options })
  },
  fresh: () => `test-${randomUUID()}`,
  leave: async () => undefined,
}

export const KINDS: readonly Kind[] = [qdrant, chromadb]

/** Memories over fresh collections; with the model that knows words where the test brings none. */
export function memoriesOf({ at, fresh, leave }: Kind) {
  const opened = new Map<Memory, string>()
  const left = new Map<string, Options>()
  const open = (collectionName: string, options: Options): Memory => {
    const memory = at(collectionName, options)
    opened.set(memory, collectionName)
    return memory
  }
  const whole = (options: Options): Options =>
    (options.embeddingFunction ?? options.embeddingDimensions)
      ? options
      : { embeddingFunction: wordModel(), ...options }
  return {
    async create(options: Options = {}): Promise<Memory> {
      const given = whole(options)
      const collectionName = fresh(given)
      left.set(collectionName, given)
      return open(collectionName, given)
    },
    reopen: async (memory: Memory, options: Options = {}) => open(opened.get(memory) ?? '', whole(options)),
    collectionOf: (memory: Memory) => opened.get(memory) ?? '',
    async dispose(): Promise<void> {
      await Promise.all([...opened.keys()].map((memory) => memory.close()))
      opened.clear()
      for (const [collectionName, options] of left) await leave(collectionName, options)
      left.clear()
    },
  }
}
