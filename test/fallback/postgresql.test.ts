import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createWithFallback, type FallbackMemory, type FallbackOptions, isDegraded } from '../../src/index.js'
import { ownPostgresql, type Server } from '../ground/index.js'
import { contents, folder, says, until } from './support.js'

let server: Server
beforeAll(async () => {
  server = await ownPostgresql()
  return () => server.stop()
})

async function open(options: FallbackOptions = {}): Promise<FallbackMemory> {
  const databasePath = join(await folder(), 'memory.db')
  const memory = await createWithFallback(['postgresql', 'sqlite'], {
    connectionString: server.url,
    databasePath,
    checkInterval: 100,
    ...options,
  })
  onTestFinished(() => memory.close())
  return memory
}

test('a server that is killed is stood in for within a second, and gets everything when it is back', async () => {
  const memory = await open()
  await memory.messages.append('c1', says('one'), { userId: 'ada' })
  await server.kill()
  const started = performance.now()
  const [message] = await memory.messages.append('c1', says('two'))
  expect(performance.now() - started).toBeLessThan(2000)
  expect(isDegraded(message as object)).toBe(true)
  const again = performance.now()
  await memory.messages.append('c1', says('three'))
  expect(performance.now() - again).toBeLessThan(200)
  await server.start()
  await until(() => !memory.status().degraded, 20_000)
  expect(await contents(memory, 'c1')).toEqual(['one', 'two', 'three'])
  expect((await memory.messages.get('c1', message?.id as string))?.position).toBe(2)
})

test('writes under way when the server goes away are all there, once', async () => {
  const memory = await open()
  await memory.messages.append('c2', says('first'), { userId: 'ada' })
  const writes: Promise<unknown>[] = []
  const ids: string[] = []
  for (let i = 0; i < 200; i++) {
    ids.push(`m${i}`)
    writes.push(memory.messages.append('c2', says(`${i}`, `m${i}`)))
    if (i === 100) void server.kill()
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await Promise.all(writes)
  await server.start()
  await until(() => !memory.status().degraded && memory.status().journal === 0, 20_000)
  expect(memory.status().parked).toEqual([])
  const stored: string[] = []
  for await (const { id, content } of memory.messages.each('c2')) if (content !== 'first') stored.push(id)
  expect(stored.sort()).toEqual(ids.sort())
})
