import { expect, it } from 'vitest'
import type { UnitOfWork } from '../../src/contract/memory.js'
import { naughtyStrings } from '../support/naughty.js'
import { failure, isTyped, type Refusal } from './expecting.js'
import { ADA, says } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

const NEEDS = ['users', 'conversations', 'messages', 'sessions', 'memories', 'atomicUnit'] as const

export function describeNaughtyStrings(harness: Harness): void {
  suite(harness, 'naughty strings', NEEDS, (ground) => {
    const strings = naughtyStrings()
    itRoundTrips(ground, strings)
    itQueries(ground, strings)
  })
}

const wellFormed = (text: string) => text.isWellFormed() && !text.includes('\0')
const legalId = (text: string) => text !== '' && Buffer.byteLength(text) <= 255 && wellFormed(text)
/** Anything that one can see; what counts as blank beyond that is the memory's to say. */
const visible = (text: string) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(text)

/** One place where a text can stand: stores it and answers what can be read back, all in one unit. */
interface Place {
  readonly name: string
  legal(text: string): boolean | 'either'
  trip(unit: UnitOfWork, text: string, i: number): Promise<unknown>
}

const PLACES: readonly Place[] = [
  {
    name: 'content of a message',
    legal: (text) => (visible(text) ? wellFormed(text) : 'either'),
    async trip(unit, text, i) {
      await unit.messages.append('c', says(text, { id: `m${i}` }), { userId: ADA })
      return (await unit.messages.get('c', `m${i}`))?.content
    },
  },
  {
    name: 'content of a memory',
    legal: (text) => (visible(text) ? wellFormed(text) : 'either'),
    async trip(unit, text) {
      const { id } = await unit.memories.add({ userId: ADA, content: text })
      return (await unit.memories.get(id))?.content
    },
  },
  {
    name: 'title',
    legal: wellFormed,
    async trip(unit, text) {
      const { id } = await unit.conversations.create({ userId: ADA, title: text })
      return (await unit.conversations.get(id))?.title
    },
  },
  {
    name: 'tag',
    legal: legalId,
    async trip(unit, text, i) {
      await unit.memories.add({ id: `t${i}`, userId: ADA, content: 'x', tags: ['other', text] })
      const { items } = await unit.memories.list({ tags: [text] })
      return items.find((entry) => entry.id === `t${i}`)?.tags[1]
    },
  },
  {
    name: 'metadata key',
    legal: wellFormed,
    async trip(unit, text, i) {
      const metadata = Object.fromEntries([[text, i]])
      await unit.memories.add({ id: `k${i}`, userId: ADA, content: 'x', metadata })
      const { items } = await unit.memories.list({ metadata })
      return Object.keys(items.find((entry) => entry.id === `k${i}`)?.metadata ?? {})[0]
    },
  },
  {
    name: 'metadata value',
    legal: wellFormed,
    async trip(unit, text, i) {
      await unit.memories.add({ id: `v${i}`, userId: ADA, content: 'x', metadata: { value: text, deep: [{ text }] } })
      const { items } = await unit.memories.list({ metadata: { value: text } })
      const found = items.find((entry) => entry.id === `v${i}`)
      expect(found?.metadata).toEqual({ value: text, deep: [{ text }] })
      return found?.metadata.value
    },
  },
  {
    name: 'id',
    legal: legalId,
    async trip(unit, text) {
      await unit.conversations.create({ id: text, userId: ADA })
      await unit.messages.append(text, says('x', { id: text }))
      return (await unit.messages.get(text, text))?.id
    },
  },
  {
    name: 'user id',
    legal: legalId,
    async trip(unit, text) {
      const { id } = await unit.sessions.create({ userId: text })
      expect((await unit.sessions.latest(text))?.id).toBe(id)
      expect((await unit.statistics({ userId: text })).sessions).toBe(1)
      return (await unit.users.get(text))?.id
    },
  },
]

const NAMESPACE: Place = {
  name: 'namespace',
  legal: legalId,
  async trip(unit, text) {
    await unit.documents.upsert({ namespace: text, id: text, content: 'x' })
    return (await unit.documents.list(text)).items[0]?.namespace
  },
}

const isRefusal = (error: unknown): error is Refusal => isTyped(error) && error.code === 'validation'

function itRoundTrips(ground: Ground, strings: readonly string[]): void {
  for (const place of ground.lacks('documents') ? PLACES : [...PLACES, NAMESPACE])
    it(`as ${place.name} they come back exactly or are refused`, { timeout: 30_000 }, async () => {
      const memory = await ground.open()
      await memory.unitOfWork(async (unit) => {
        for (const [i, text] of strings.entries()) {
          let back: unknown
          const error = await failure(async () => {
            back = await place.trip(unit, text, i)
          })
          if (error !== null && !isRefusal(error)) throw error
          const legal = place.legal(text)
          if (legal !== 'either') expect(error === null, JSON.stringify(text.slice(0, 100))).toBe(legal)
          if (error === null) expect(back).toBe(text)
        }
      })
      expect((await memory.statistics()).users).toBeGreaterThanOrEqual(place === NAMESPACE ? 0 : 1)
    })

  it('as tenant they keep their own, exactly', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const legal = strings.filter(legalId)
    for (const [i, text] of legal.entries()) await memory.forTenant(text).users.create({ id: 'u', name: `${i}` })
    for (const [i, text] of legal.entries()) {
      const { items } = await memory.forTenant(text).users.list()
      expect(items.map((user) => [user.tenantId, user.name])).toEqual([[text, `${i}`]])
    }
    for (const text of strings.filter((s) => !legalId(s)))
      expect(isRefusal(await failure(() => memory.forTenant(text).users.list()))).toBe(true)
  })
}

function itQueries(ground: Ground, strings: readonly string[]): void {
  it('as query they are answered or refused, and find nothing of another tenant', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    if (ground.lacks('textSearch')) return expect(memory.capabilities.textSearch).toBe(false)
    await memory.memories.add({ id: 'own', userId: ADA, content: 'something to be found' })
    const [legal, other] = [strings.filter((text) => visible(text) && wellFormed(text)), memory.forTenant('other')]
    await other.memories.addMany(legal.map((content) => ({ userId: ADA, content })))
    for (const text of strings) {
      const error = await failure(async () => {
        for (const hit of await memory.search({ text })) expect(hit.record.id).toBe('own')
      })
      if (error !== null && !isTyped(error)) throw error
    }
    expect(await other.search({ text: 'the', limit: 1000 })).toBeInstanceOf(Array)
    expect((await memory.search({ text: 'found' })).map((hit) => hit.record.id)).toEqual(['own'])
  })

  it('what was stored from them is found by its own words', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    if (ground.lacks('textSearch')) return expect(memory.capabilities.textSearch).toBe(false)
    const marked = strings
      .filter((text) => wellFormed(text))
      .map((text, i) => ({ id: `n${i}`, content: `${text} marker${i}` }))
    await memory.memories.addMany(marked.map((entry) => ({ userId: ADA, ...entry })))
    for (const [i, { id }] of marked.entries()) {
      const hits = await memory.search({ text: `marker${i}` })
      expect(
        hits.map((hit) => hit.record.id),
        id,
      ).toContain(id)
    }
  })
}
