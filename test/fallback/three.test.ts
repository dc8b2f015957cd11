import { expect, test } from 'vitest'
import { chain, contents, link, Moody, says } from './support.js'

test('a chain of three works down the list, and all that was taken is handed back in order', async () => {
  const { memory, first, second } = await chain({}, ['up', 'up', 'up'])
  await memory.messages.append('c', says('0'), { userId: 'ada' })
  first.mood = 'away'
  await memory.messages.append('c', says('1'))
  expect(memory.status().serving).toBe('sqlite#2')
  second.mood = 'away'
  await memory.messages.append('c', says('2'))
  expect(memory.status()).toMatchObject({ serving: 'sqlite#3', journal: 2 })
  expect(memory.status().backends.map(({ waiting }) => waiting)).toEqual([0, 1, 1])
  second.up()
  first.up()
  expect(await memory.handBack()).toEqual({ handedBack: 2, parked: 0, finished: true, reason: null })
  expect(memory.status()).toMatchObject({ serving: 'sqlite', journal: 0 })
  expect(await contents(memory, 'c')).toEqual(['0', '1', '2'])
})

test('the first serves again where those that stood in are away, and gets theirs later', async () => {
  const { memory, first, second } = await chain()
  await memory.messages.append('c', says('0'), { userId: 'ada' })
  first.mood = 'away'
  await memory.messages.append('c', says('1'))
  first.up()
  second.mood = 'away'
  await memory.messages.append('c', says('2'))
  expect(memory.status()).toMatchObject({ serving: 'sqlite', degraded: false, journal: 1 })
  second.up()
  expect(await memory.handBack()).toMatchObject({ handedBack: 1, finished: true })
  expect(await contents(memory, 'c')).toEqual(['0', '2', '1'])
})

test('a Moody backend is what it wraps', async () => {
  const { capabilities } = link(':memory:', new Moody())
  expect(capabilities.durability).toBe('none')
})
