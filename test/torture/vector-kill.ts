// `npm run torture vector-kill`: Qdrant, Chroma and the server of a folder are killed under writers of several tenants. What
// was acknowledged is there, once, with its vector; what was deleted is not; nobody has another's.
import { createBackend, type Memory } from '../../src/index.js'
import { vectorOf, wordModel } from '../conformance/vectors-fixtures.js'
import { type Server, startChroma, startQdrant } from '../ground/index.js'

const KILLS = 40
const TENANTS = 4
const WORDS = ['ferry', 'cello', 'walnut', 'train']

interface Told {
  readonly content: string | null
}

/** What a tenant's writer was told: by id, the last content, null where it was deleted; and what nobody knows. */
class Writer {
  readonly acknowledged = new Map<string, Told>()
  readonly unknown = new Set<string>()
  refused = 0
  #n = 0

  constructor(
    readonly memory: ReturnType<Memory['forTenant']>,
    readonly name: string,
  ) {}

  async step(): Promise<void> {
    const n = this.#n++
    const known = [...this.acknowledged].filter(([id, { content }]) => content !== null && !this.unknown.has(id))
    const [old] = known[n % Math.max(1, known.length)] ?? []
    const content = `${this.name} says ${WORDS[n % WORDS.length]} ${n}`
    if (old !== undefined && n % 7 === 0) await this.#run(old, null, () => this.memory.memories.delete(old))
    else if (old !== undefined && n % 3 === 0)
      await this.#run(old, content, () => this.memory.memories.update(old, { content }))
    else {
      const id = `m${n}`
      await this.#run(id, content, () => this.memory.memories.add({ id, userId: 'u', content }))
    }
  }

  async #run(id: string, content: string | null, write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
      this.acknowledged.set(id, { content })
    } catch {
      this.refused++
      this.unknown.add(id)
    }
  }

  /** What is wrong, in words. */
  async check(): Promise<string[]> {
    const wrong: string[] = []
    const stored = new Map<string, string>()
    for await (const { id, content, tenantId } of this.memory.memories.each()) {
      if (stored.has(id)) wrong.push(`${this.name}: ${id} twice`)
      if (tenantId !== this.name || !content.startsWith(this.name)) wrong.push(`${this.name}: has ${id} of another`)
      stored.set(id, content)
    }
    for (const [id, { content }] of this.acknowledged) {
      if (this.unknown.has(id)) continue
      if ((stored.get(id) ?? null) !== content) wrong.push(`${this.name}: ${id} is not as acknowledged`)
    }
    for (const word of WORDS) {
      const query = { vector: vectorOf(word), mode: 'vector', kinds: ['memory'], exact: true, limit: 1000 } as const
      for (const { record, score } of await this.memory.search(query))
        if (record.content.includes(word) !== score > 0.9)
          wrong.push(`${this.name}: the vector of ${record.id} is another's`)
    }
    return wrong
  }
}

async function campaign(name: string, server: Server, memory: Memory): Promise<boolean> {
  await memory.connect()
  const writers = Array.from({ length: TENANTS }, (_, i) => new Writer(memory.forTenant(`tenant ${i}`), `tenant ${i}`))
  let going = true
  const writing = writers.map(async (writer) => {
    while (going) await writer.step()
  })
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 400))
    await server.kill()
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 300))
    await server.start()
  }
  going = false
  await Promise.all(writing)
  const wrong = (await Promise.all(writers.map((writer) => writer.check()))).flat()
  const count = (of: (writer: Writer) => number) => writers.reduce((sum, writer) => sum + of(writer), 0)
  const [told, refused] = [count(({ acknowledged }) => acknowledged.size), count((writer) => writer.refused)]
  console.log(
    `  ${name}: ${KILLS} kills, ${told} records acknowledged, ${refused} writes refused, ${wrong.length} wrong`,
  )
  for (const each of wrong.slice(0, 10)) console.log(`    ${each}`)
  return wrong.length === 0
}

const options = { embeddingFunction: wordModel(), callTimeout: 20_000 }
const qdrant = await startQdrant({ own: true })
const chroma = await startChroma({ own: true })
const at = new URL(chroma.url)
const memories = [
  ['Qdrant', qdrant, createBackend('qdrant', { url: qdrant.url, ...options }) as Memory],
  ['ChromaDB', chroma, createBackend('chromadb', { host: at.hostname, port: Number(at.port), ...options }) as Memory],
] as const
let right = true
try {
  for (const [name, server, memory] of memories) right = (await campaign(name, server, memory)) && right
} finally {
  for (const [, server, memory] of memories) {
    await memory.close()
    await server.stop()
  }
}
process.exitCode = right ? 0 : 1
