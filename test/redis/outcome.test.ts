import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import type { ConnectionError } from '../../src/errors.js'
import { refused } from '../conformance/expecting.js'
import { contentsOf, says, talk } from '../conformance/fixtures.js'
import { type Server, startRedis } from '../ground/index.js'
import { type FaultyProxy, startProxy } from '../support/proxy.js'
import { memories } from './support/memories.js'

let server: Server
let proxy: FaultyProxy
beforeAll(async () => {
  server = await startRedis({ own: true })
  proxy = await startProxy({ host: '127.0.0.1', port: server.port })
})
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})
const { create, dispose } = memories(() => ({ url: proxy.url('redis'), callTimeout: 400 }))
afterEach(async () => {
  proxy.thaw()
  proxy.refuse(false)
  await dispose()
})

async function opened(): Promise<Memory> {
  const memory = create()
  await talk(memory, 'c', ['first'])
  return memory
}

/** The next answer is lost, and nobody is there to be asked again. */
function loseTheAnswer(): void {
  proxy.dropReplies(1)
  proxy.refuse(true)
}

async function back(memory: Memory): Promise<string[]> {
  proxy.refuse(false)
  await expect.poll(() => memory.healthCheck(), { timeout: 5000 }).toBe(true)
  return contentsOf((await memory.messages.list('c')).items)
}

const outcomeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await refused(work, 'connection')
  return (error as unknown as ConnectionError).outcome
}

it('a write that was sent, and whose answer never came, may be stored: its outcome is unknown', async () => {
  const memory = await opened()
  loseTheAnswer()
  expect(await outcomeOf(memory.messages.append('c', says('appended')))).toBe('unknown')
  expect(await back(memory)).toEqual(['first', 'appended'])
  const unit = memory.unitOfWork(async ({ messages }) => {
    await messages.append('c', says('in a unit'))
    loseTheAnswer()
  })
  expect(await outcomeOf(unit)).toBe('unknown')
  expect(await back(memory)).toEqual(['first', 'appended', 'in a unit'])
})

it('so it is on a line that is half open', async () => {
  const memory = await opened()
  proxy.freeze()
  expect(await outcomeOf(memory.messages.append('c', says('lost')))).toBe('unknown')
})

it('one that was never sent is known to be lost, and so is a unit that did not come to its commit', async () => {
  const memory = await opened()
  proxy.refuse(true)
  proxy.cut()
  await expect.poll(() => memory.healthCheck()).toBe(false)
  expect(await outcomeOf(memory.messages.append('c', says('lost')))).toBe('none')
  expect(await outcomeOf(memory.messages.list('c'))).toBe('none')
  expect(await back(memory)).toEqual(['first'])
  const unit = memory.unitOfWork(async ({ messages }) => {
    await messages.append('c', says('lost too'))
    loseTheAnswer()
    await messages.list('c')
  })
  expect(await outcomeOf(unit)).toBe('none')
  expect(await back(memory)).toEqual(['first'])
})

it('an operation whose answer was lost is found out about by its id, and done once', async () => {
  const memory = await opened()
  let runs = 0
  const operation = memory.unitOfWork(
    async ({ messages }) => {
      runs++
      const [message] = await messages.append('c', says('once'))
      loseTheAnswer()
      setTimeout(() => proxy.refuse(false), 900)
      return message?.position
    },
    { operationId: 'op' },
  )
  expect(await operation).toBe(2)
  expect(runs).toBe(1)
  expect(await back(memory)).toEqual(['first', 'once'])
})
