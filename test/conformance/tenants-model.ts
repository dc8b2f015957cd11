import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import { adversarialNames } from '../support/names.js'
import { failure, isTyped } from './expecting.js'
import { byBytes, contentsOf, idsOf, says } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

interface Step {
  readonly tenant: 0 | 1
  readonly verb: 'createUser' | 'deleteUser' | 'append' | 'deleteConversation' | 'remember' | 'forget' | 'document'
  readonly user: string
  readonly id: string
}

const names = fc.constantFrom(...adversarialNames(60))
const VERBS = ['createUser', 'deleteUser', 'append', 'append', 'deleteConversation', 'remember', 'forget'] as const
const step = (ground: Ground): fc.Arbitrary<Step> =>
  fc.record({
    tenant: fc.constantFrom(0, 1),
    verb: fc.constantFrom(...VERBS, ...(ground.lacks('documents') ? [] : (['document'] as const))),
    user: fc.constantFrom('u', 'U', 'u%'),
    id: fc.constantFrom('x', 'x:', 'X'),
  })

/** One tenant, as plain maps. */
class ModelTenant {
  readonly users = new Set<string>()
  readonly conversations = new Map<string, { readonly user: string; readonly messages: string[] }>()
  readonly memories = new Map<string, string>()
  readonly documents = new Map<string, string>()

  /** Does the step, or answers the code with which it must be refused. */
  play({ verb, user, id }: Step, content: string): string | null {
    if (verb === 'createUser') return this.users.has(user) ? 'conflict' : this.#done(this.users.add(user))
    if (verb === 'deleteUser') return this.#deleteUser(user)
    if (verb === 'append') return this.#append(user, id, content)
    if (verb === 'deleteConversation') return this.conversations.delete(id) ? null : 'not-found'
    if (verb === 'forget') return this.memories.delete(id) ? null : 'not-found'
    if (verb === 'document') return this.#done(this.documents.set(id, content))
    if (this.memories.has(id)) return 'conflict'
    this.users.add(user)
    return this.#done(this.memories.set(id, user))
  }

  #done(_: unknown): null {
    return null
  }

  #deleteUser(user: string): string | null {
    if (!this.users.delete(user)) return 'not-found'
    for (const [id, conversation] of this.conversations) if (conversation.user === user) this.conversations.delete(id)
    for (const [id, owner] of this.memories) if (owner === user) this.memories.delete(id)
    return null
  }

  #append(user: string, id: string, content: string): string | null {
    const conversation = this.conversations.get(id) ?? { user, messages: [] }
    if (conversation.user !== user) return 'not-found'
    this.users.add(user)
    this.conversations.set(id, conversation)
    return this.#done(conversation.messages.push(content))
  }
}

function act(memory: TenantMemory, { verb, user, id }: Step, content: string): Promise<unknown> {
  switch (verb) {
    case 'createUser':
      return memory.users.create({ id: user })
    case 'deleteUser':
      return memory.users.delete(user)
    case 'append':
      return memory.messages.append(id, says(content), { userId: user })
    case 'deleteConversation':
      return memory.conversations.delete(id)
    case 'remember':
      return memory.memories.add({ id, userId: user, content })
    case 'forget':
      return memory.memories.delete(id)
    case 'document':
      return memory.documents.upsert({ namespace: 'n', id, content })
  }
}

async function compare(memory: TenantMemory, model: ModelTenant, ground: Ground): Promise<void> {
  const sorted = (keys: Iterable<string>) => [...keys].sort(byBytes)
  expect(idsOf((await memory.users.list()).items)).toEqual(sorted(model.users))
  expect(sorted(idsOf((await memory.conversations.list()).items))).toEqual(sorted(model.conversations.keys()))
  for (const id of ['x', 'x:', 'X'])
    expect(contentsOf((await memory.messages.list(id)).items)).toEqual(model.conversations.get(id)?.messages ?? [])
  expect(sorted(idsOf((await memory.memories.list()).items))).toEqual(sorted(model.memories.keys()))
  const documents = ground.lacks('documents') ? [] : (await memory.documents.list('n')).items
  expect(documents.map((d) => [d.id, d.content])).toEqual([...model.documents].sort(([a], [b]) => byBytes(a, b)))
  const messages = [...model.conversations.values()].reduce((sum, c) => sum + c.messages.length, 0)
  expect(await memory.statistics()).toMatchObject({
    users: model.users.size,
    conversations: model.conversations.size,
    messages,
    memories: model.memories.size,
    documents: model.documents.size,
  })
  for (const userId of ['u', 'U', 'u%'])
    expect(await memory.statistics({ userId })).toMatchObject({
      users: model.users.has(userId) ? 1 : 0,
      memories: [...model.memories.values()].filter((owner) => owner === userId).length,
    })
}

export function describeTenantsModel(harness: Harness): void {
  const needs = ['users', 'conversations', 'messages', 'memories', 'atomicUnit'] as const
  suite(harness, 'tenants: against a model', needs, (ground) => {
    it('two tenants behave as if each were alone, whatever is done in both', { timeout: 60_000 }, async () => {
      const property = fc.asyncProperty(
        fc.uniqueArray(names, { minLength: 2, maxLength: 2 }),
        fc.array(step(ground), { minLength: 5, maxLength: 30 }),
        async (pair, steps) => {
          const memory = await ground.open()
          const tenants = pair.map((name) => memory.forTenant(name)) as [TenantMemory, TenantMemory]
          const models = [new ModelTenant(), new ModelTenant()] as const
          for (const [i, taken] of steps.entries()) {
            const expected = models[taken.tenant].play(taken, `content ${i}`)
            const error = await failure(act(tenants[taken.tenant], taken, `content ${i}`))
            if (error !== null && !isTyped(error)) throw error
            expect(error?.code ?? null).toBe(expected)
          }
          for (const i of [0, 1] as const) await compare(tenants[i], models[i], ground)
          await memory.close()
        },
      )
      await fc.assert(property, { numRuns: 25 })
    })
  })
}
