import { expect, it } from 'vitest'
import { missing } from './expecting.js'
import { found, LIFE, mortalConversation } from './expiry-fixtures.js'
import { ADA, contentsOf, numbered, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeExpiryReuse(harness: Harness): void {
  suite(harness, 'expiry: conversations begun again', ['conversations', 'messages', 'users'], (ground) => {
    itBeginsAnew(ground)
    itSparesWhatBeganAnew(ground)
  })
}

function itBeginsAnew(ground: Ground): void {
  it('an expired conversation is missing for an append without a user', async () => {
    const memory = await ground.open()
    await mortalConversation(memory, ground)
    ground.clock.advance(LIFE)
    await missing(memory.messages.append('c', says('x')), 'conversation')
    await missing(memory.messages.branch('c', 'm'), 'conversation')
    expect((await memory.messages.list('c')).items).toEqual([])
  })

  it('its id can be used again, and nothing old comes back', async () => {
    for (const purges of [false, true]) {
      const memory = await ground.open()
      await mortalConversation(memory, ground)
      ground.clock.advance(LIFE)
      if (purges) await memory.purgeExpired()
      const again = await memory.conversations.create({ id: 'c', userId: 'bob' })
      expect(again).toMatchObject({ userId: 'bob', title: null, messageCount: 0, expiresAt: null, version: 1 })
      const [message] = await memory.messages.append('c', says('new', { id: 'm' }))
      expect((await memory.messages.list('c', { includeExpired: true })).items).toEqual([message])
      expect(await found(memory, 'zeppelin', true)).toEqual([])
      expect((await memory.statistics()).messages).toBe(2)
    }
  })

  it('an append with a user begins it again, also for another user', async () => {
    const memory = await ground.open()
    await mortalConversation(memory, ground)
    ground.clock.advance(LIFE)
    const [message] = await talk(memory, 'c', [says('new', { id: 'm' })], 'bob')
    expect((await memory.messages.list('c')).items).toEqual([message])
    expect(await memory.conversations.get('c')).toMatchObject({ userId: 'bob', messageCount: 1, expiresAt: null })
    expect((await memory.purgeExpired()).conversations).toBe(0)
  })

  it('so does an upsert, also of a message that was in it', async () => {
    const memory = await ground.open()
    await mortalConversation(memory, ground)
    ground.clock.advance(LIFE)
    await missing(memory.messages.upsert('c', says('new', { id: 'm' })), 'conversation')
    const [message] = await memory.messages.upsert('c', says('new', { id: 'm' }), { userId: 'bob' })
    expect(message).toMatchObject({ content: 'new', version: 1 })
    expect((await memory.messages.list('c', { includeExpired: true })).items).toEqual([message])
    expect(await memory.conversations.get('c')).toMatchObject({ userId: 'bob', messageCount: 1 })
  })
}

function itSparesWhatBeganAnew(ground: Ground): void {
  it('a conversation that is begun again during a purge keeps what is new', async () => {
    const memory = await ground.open()
    const names = numbered(40, 'c')
    for (const id of names) {
      await memory.conversations.create({ id, userId: ADA, expiresAt: ground.clock.date(LIFE) })
      await memory.messages.append(id, [says('old'), says('old')])
    }
    ground.clock.advance(LIFE)
    const purge = memory.purgeExpired({ batch: 10 })
    const writes = Promise.all([...names].reverse().map((id) => talk(memory, id, ['new'])))
    await Promise.all([purge, writes])
    for (const id of names) expect(contentsOf((await memory.messages.list(id)).items), id).toEqual(['new'])
    expect(await memory.statistics()).toMatchObject({ conversations: 40, messages: 40 })
  })
}
