import { setTimeout as sleep } from 'node:timers/promises'
import type { Memory, TenantMemory, UnitOfWork } from '../../../src/contract/memory.js'
import { BrunoMemoryError } from '../../../src/errors.js'
import { pick } from '../../support/random.js'
import { Rescinded } from '../../support/rescinded.js'
import { type Changes, keyText, type Said } from './said.js'
import { vectorOf } from './vectors.js'

type Verbs = TenantMemory | UnitOfWork
type Say = (said: Said) => void

/** A write, and what becomes of records by it. */
interface Work {
  readonly changes: Changes
  /** Needs the unit's own cache. */
  readonly inUnit: boolean
  run(verbs: Verbs): Promise<unknown>
}

const CONVERSATIONS = ['c0', 'c1', 'c2']
const NAMESPACES = ['n0', 'n1']
const MOST = 25
const PAUSE = 4
let turn = 0

/** Writes to one tenant without end, one unit after the other, of everything that is there. */
export class Lane {
  /** By conversation, in their order. */
  readonly #messages = new Map<string, string[]>(CONVERSATIONS.map((id) => [id, []]))
  readonly #memories = new Set<string>()
  #n = 0

  constructor(
    readonly memory: TenantMemory,
    readonly incarnation: string,
    readonly random: () => number,
    readonly say: Say,
  ) {}

  /** What those before it have left. */
  async begin(): Promise<void> {
    for (const id of CONVERSATIONS) {
      const { items } = await this.memory.messages.list(id, { first: 1000 })
      this.#messages.set(
        id,
        items.map((message) => message.id),
      )
    }
    for await (const { id } of this.memory.memories.each()) this.#memories.add(id)
  }

  async run(): Promise<never> {
    for (;;) {
      await this.#unit()
      await sleep(this.random() * PAUSE)
    }
  }

  async #unit(): Promise<void> {
    const many = this.random() < 0.3
    const works = Array.from({ length: many ? 3 : 1 }, () => this.#work())
    const thrown = this.random() < 0.08
    const id = ++turn
    this.say({ intends: id, changes: Object.assign({}, ...works.map(({ changes }) => changes)) })
    try {
      if (many || thrown || works.some(({ inUnit }) => inUnit))
        await this.memory.unitOfWork(async (unit) => {
          for (const work of works) await work.run(unit)
          if (thrown) throw new Rescinded()
        })
      else await works[0]?.run(this.memory)
      this.say({ acknowledged: id })
      if (this.random() < 0.3) await this.#look()
    } catch (error) {
      if (error instanceof Rescinded) this.say({ rescinded: id })
      else {
        const code = error instanceof BrunoMemoryError ? error.code : String(error)
        this.say({ unsure: id, code })
        if (!(error instanceof BrunoMemoryError && error.retryable)) this.say({ wrong: `a write failed: ${code}` })
      }
      await this.#again()
    }
  }

  async #again(): Promise<void> {
    this.#memories.clear()
    await this.begin()
  }

  /** Whoever writes sees what it has written, whatever the cache had. */
  async #look(): Promise<void> {
    const conversation = pick(this.random, CONVERSATIONS)
    const { items } = await this.memory.messages.list(conversation, { last: 50 })
    const known = this.#messages.get(conversation) ?? []
    if (items.map(({ id }) => id).join() !== known.slice(-50).join())
      this.say({ wrong: `${this.memory.tenantId} ${conversation}: a writer does not see what it wrote` })
  }

  #work(): Work {
    const turns = [
      () => this.#append(),
      () => this.#append(),
      () => this.#edit(),
      () => this.#remove(),
      () => this.#clear(),
      () => this.#add(),
      () => this.#change(),
      () => this.#forget(),
      () => this.#upsert(),
      () => this.#upsert(),
      () => this.#drop(),
    ]
    return pick(this.random, turns)()
  }

  #text(): { id: string; content: string; vector?: Float32Array } {
    const id = `${this.incarnation}-${++this.#n}`
    const content = `text of ${this.memory.tenantId} ${id}`
    return this.random() < 0.6 ? { id, content, vector: vectorOf(content) } : { id, content }
  }

  #key(kind: string, scope: string, id: string): string {
    return keyText(kind, this.memory.tenantId, scope, id)
  }

  #append(): Work {
    const conversation = pick(this.random, CONVERSATIONS)
    const ids = this.#messages.get(conversation) as string[]
    if (ids.length > MOST) return this.#clear(conversation)
    const message = {
      ...this.#text(),
      role: 'user' as const,
      status: this.random() < 0.1 ? 'draft' : 'complete',
    } as const
    ids.push(message.id)
    const changes = { [this.#key('message', conversation, message.id)]: message.content }
    return { changes, inUnit: false, run: (v) => v.messages.append(conversation, message, { userId: 'ada' }) }
  }

  #edit(): Work {
    const conversation = pick(this.random, CONVERSATIONS)
    const ids = this.#messages.get(conversation) as string[]
    if (ids.length === 0) return this.#append()
    const id = pick(this.random, ids)
    const { content } = this.#text()
    const changes = { [this.#key('message', conversation, id)]: content }
    return { changes, inUnit: false, run: (v) => v.messages.update(conversation, id, { content }) }
  }

  #remove(): Work {
    const conversation = pick(this.random, CONVERSATIONS)
    const ids = this.#messages.get(conversation) as string[]
    if (ids.length === 0) return this.#append()
    const id = pick(this.random, ids)
    ids.splice(ids.indexOf(id), 1)
    const changes = { [this.#key('message', conversation, id)]: null }
    return { changes, inUnit: false, run: (v) => v.messages.delete(conversation, id) }
  }

  /** Only at times: there must be something left to edit. */
  #clear(conversation = pick(this.random, CONVERSATIONS)): Work {
    const ids = this.#messages.get(conversation) as string[]
    if (ids.length < 5) return this.#append()
    const changes = Object.fromEntries(ids.map((id) => [this.#key('message', conversation, id), null]))
    this.#messages.set(conversation, [])
    if (this.random() < 0.5) return { changes, inUnit: false, run: (v) => v.conversations.delete(conversation) }
    return { changes, inUnit: false, run: (v) => v.messages.clear(conversation, { keepSystem: false }) }
  }

  #add(): Work {
    if (this.#memories.size > MOST) return this.#forget()
    const memory = { ...this.#text(), userId: 'ada', importance: this.random(), tags: ['a', 'b'] }
    this.#memories.add(memory.id)
    const changes = { [this.#key('memory', '', memory.id)]: memory.content }
    return { changes, inUnit: false, run: (v) => v.memories.add(memory) }
  }

  #change(): Work {
    if (this.#memories.size === 0) return this.#add()
    const id = pick(this.random, [...this.#memories])
    const { content } = this.#text()
    const changes = { [this.#key('memory', '', id)]: content }
    return { changes, inUnit: false, run: (v) => v.memories.update(id, { content }) }
  }

  #forget(): Work {
    if (this.#memories.size === 0) return this.#add()
    const id = pick(this.random, [...this.#memories])
    this.#memories.delete(id)
    const changes = { [this.#key('memory', '', id)]: null }
    return { changes, inUnit: false, run: (v) => v.memories.delete(id) }
  }

  /** The cache has the document's text, or nothing. */
  #upsert(): Work {
    const [namespace, id] = [pick(this.random, NAMESPACES), `d${Math.floor(this.random() * 8)}`]
    const { content, vector } = this.#text()
    const document = { namespace, id, content, ...(vector && { vector }) }
    const changes = { [this.#key('document', namespace, id)]: content }
    const run = async (v: Verbs): Promise<void> => {
      await v.documents.upsert(document)
      await v.cache.set(`${namespace} ${id}`, content)
    }
    return { changes, inUnit: true, run }
  }

  #drop(): Work {
    const [namespace, id] = [pick(this.random, NAMESPACES), `d${Math.floor(this.random() * 8)}`]
    const changes = { [this.#key('document', namespace, id)]: null }
    const run = async (v: Verbs): Promise<void> => {
      if (await v.documents.get(namespace, id)) await v.documents.delete(namespace, id)
      await v.cache.delete(`${namespace} ${id}`)
    }
    return { changes, inUnit: true, run }
  }
}

/** Looks at what others write, so that the cache has something to forget. */
export async function readOn(memory: Memory, tenants: readonly string[], random: () => number): Promise<never> {
  for (;;) {
    const tenant = memory.forTenant(pick(random, tenants))
    await tenant.messages.list(pick(random, CONVERSATIONS)).catch(() => undefined)
    await sleep(2)
  }
}

/** Looks for what others wrote more often than a settler does by itself. */
export async function settleOn(memory: Memory): Promise<never> {
  for (;;) {
    await memory.settle().catch(() => undefined)
    await sleep(50)
  }
}
