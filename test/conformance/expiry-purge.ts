import { expect, it } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import { SECOND } from '../support/clock.js'
import { refused } from './expecting.js'
import { ADA, numbered, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describePurge(harness: Harness): void {
  const needs = ['conversations', 'messages', 'sessions', 'memories', 'users'] as const
  suite(harness, 'expiry: purge and sweep', needs, (ground) => {
    itPurges(ground)
    itSweeps(ground)
  })
}

const LIFE = 10 * SECOND
const NOTHING = { conversations: 0, messages: 0, sessions: 0, memories: 0, documents: 0, operations: 0 }

/** Seven of each kind that expire, two of each that stay. */
async function fill(memory: TenantMemory, ground: Ground): Promise<void> {
  await fillRecords(memory, ground)
  if (ground.lacks('documents')) return
  const document = (id: string) => ({ namespace: 'n', id, content: id })
  await memory.documents.upsert(numbered(7).map((id) => ({ ...document(id), expiresAt: ground.clock.date(LIFE) })))
  await memory.documents.upsert(numbered(2, 'k').map(document))
}

async function fillRecords(memory: TenantMemory, ground: Ground): Promise<void> {
  const mortal = { expiresAt: ground.clock.date(LIFE) }
  for (const i of [1, 2, 3, 4, 5, 6, 7]) {
    await memory.conversations.create({ id: `c${i}`, userId: ADA, ...mortal })
    await memory.messages.append(
      `c${i}`,
      numbered(3).map((content) => says(content)),
    )
    await memory.sessions.create({ userId: ADA, ...mortal })
  }
  await memory.memories.addMany(numbered(7).map((content) => ({ userId: ADA, content, ...mortal })))
  for (const i of [8, 9]) {
    await talk(memory, `c${i}`, ['kept'])
    await memory.sessions.create({ userId: ADA })
  }
  await memory.memories.addMany(numbered(2).map((content) => ({ userId: ADA, content })))
}

/** What of `fill` a purge removes. */
const expired = (ground: Ground) => ({
  ...NOTHING,
  conversations: 7,
  messages: 21,
  sessions: 7,
  memories: 7,
  documents: ground.lacks('documents') ? 0 : 7,
})
/** What stays of it. */
const kept = (ground: Ground) => ({
  users: 1,
  conversations: 2,
  messages: 2,
  sessions: 2,
  memories: 2,
  documents: ground.lacks('documents') ? 0 : 2,
})

function itPurges(ground: Ground): void {
  it('removes what has expired, in batches of any size, and reports it exactly', async () => {
    for (const batch of [1, 2, 7, 500, undefined]) {
      const memory = await ground.open()
      await fill(memory, ground)
      expect(await memory.purgeExpired({ batch })).toEqual(NOTHING)
      ground.clock.advance(LIFE)
      expect(await memory.purgeExpired({ batch })).toEqual(expired(ground))
      expect(await memory.purgeExpired({ batch })).toEqual(NOTHING)
      expect(await memory.statistics()).toMatchObject(kept(ground))
      expect((await memory.memories.list({ includeExpired: true })).items).toHaveLength(2)
      expect((await memory.sessions.list({ includeExpired: true })).items).toHaveLength(2)
    }
  })

  it('lets writers in between its batches, and spares what was given a longer life meanwhile', async () => {
    const memory = await ground.open()
    await memory.memories.addMany(
      numbered(200).map((id) => ({ id, userId: ADA, content: id, expiresAt: ground.clock.date(LIFE) })),
    )
    ground.clock.advance(LIFE)
    const purge = memory.purgeExpired({ batch: 5 })
    const writes = Promise.all(numbered(20).map((content) => memory.memories.add({ userId: ADA, content })))
    expect((await purge).memories).toBe(200)
    await writes
    expect((await memory.statistics()).memories).toBe(20)
  })

  it('two purges side by side remove everything once', async () => {
    const memory = await ground.open()
    await fill(memory, ground)
    ground.clock.advance(LIFE)
    const reports = await Promise.all([memory.purgeExpired({ batch: 2 }), memory.purgeExpired({ batch: 3 })])
    expect(reports.reduce((sum, report) => sum + report.memories, 0)).toBe(7)
    expect(reports.reduce((sum, report) => sum + report.messages, 0)).toBe(21)
    expect(await memory.statistics()).toMatchObject(kept(ground))
  })

  it('refuses a batch that is out of range', async () => {
    const memory = await ground.open()
    await fill(memory, ground)
    ground.clock.advance(LIFE)
    for (const batch of [0, -1, 1.5, 10_001, Number.NaN])
      for (const call of [() => memory.purgeExpired({ batch }), () => memory.sweep({ batch })])
        await refused(call, 'validation', 'batch')
    expect((await memory.memories.list({ includeExpired: true })).items).toHaveLength(9)
  })
}

function itSweeps(ground: Ground): void {
  it('a purge touches its own tenant alone; a sweep goes over all of them', async () => {
    const memory = await ground.open()
    const tenants = ['a', 'A', 'a%', ''].map((name) => memory.forTenant(name === '' ? 'default' : name))
    for (const tenant of tenants) await fill(tenant, ground)
    ground.clock.advance(LIFE)
    expect(await tenants[2]?.purgeExpired()).toEqual(expired(ground))
    const left = await tenants[0]?.memories.list({ includeExpired: true })
    expect(left?.items).toHaveLength(9)
    const swept = Object.fromEntries(Object.entries(expired(ground)).map(([kind, count]) => [kind, count * 3]))
    expect(await memory.sweep({ batch: 4 })).toEqual(swept)
    expect(await memory.sweep()).toEqual(NOTHING)
    for (const tenant of tenants) expect(await tenant.statistics()).toMatchObject(kept(ground))
  })
}
