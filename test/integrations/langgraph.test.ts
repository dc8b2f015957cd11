import { emptyCheckpoint } from '@langchain/langgraph-checkpoint'
import { validate } from '@langchain/langgraph-checkpoint-validation'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, test } from 'vitest'
import { createBackend, type Memory } from '../../src/index.js'
import { MemoryCheckpointSaver } from '../../src/integrations/langgraph/index.js'
import { type End, freshEnd } from '../transfer/support/ends.js'

// The kit takes these as they are, without importing them.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test })
for (const name of ['sqlite', 'postgresql'] as const) {
  const open = new Map<MemoryCheckpointSaver, { readonly memory: Memory; readonly end: End }>()
  validate({
    checkpointerName: `MemoryCheckpointSaver in ${name}`,
    async createCheckpointer() {
      const end = await freshEnd(name, inject('servers'))
      const memory = createBackend(end.url)
      const saver = new MemoryCheckpointSaver({ memory: memory.forTenant('acme') })
      open.set(saver, { memory, end })
      return saver
    },
    async destroyCheckpointer(saver) {
      const { memory, end } = open.get(saver) ?? {}
      await memory?.close()
      await end?.remove()
    },
  })
}

let memory: Memory
beforeEach(() => {
  memory = createBackend('sqlite', { databasePath: ':memory:' })
})
afterEach(() => memory.close())

const saverOf = (tenant: string) => new MemoryCheckpointSaver({ memory: memory.forTenant(tenant) })
const metadata = { source: 'input', step: -1, parents: {} } as const
const thread = { configurable: { thread_id: 't1', checkpoint_ns: '' } }

test('another tenant sees nothing of a thread, and its words are found by no search', async () => {
  const checkpoint = { ...emptyCheckpoint(), channel_values: { note: 'a secret of Lisbon' } }
  await saverOf('acme').put(thread, checkpoint, metadata, { note: 1 })
  expect((await saverOf('acme').getTuple(thread))?.checkpoint.channel_values).toEqual({ note: 'a secret of Lisbon' })
  expect(await saverOf('other').getTuple(thread)).toBeUndefined()
  expect(await memory.forTenant('acme').search({ text: 'secret Lisbon' })).toEqual([])
})

test('tasks that write at the same time lose nothing', async () => {
  const saver = saverOf('acme')
  const config = await saver.put(thread, emptyCheckpoint(), metadata, {})
  await Promise.all(Array.from({ length: 20 }, (_, n) => saver.putWrites(config, [['channel', n]], `task ${n}`)))
  const writes = (await saver.getTuple(config))?.pendingWrites ?? []
  expect(new Set(writes.map(([, , value]) => value))).toEqual(new Set(Array.from({ length: 20 }, (_, n) => n)))
})

test('a thread that begins with checkpoints and writes at the same time loses none, in PostgreSQL', async () => {
  const end = await freshEnd('postgresql', inject('servers'))
  const there = createBackend(end.url)
  const saver = new MemoryCheckpointSaver({ memory: there.forTenant('acme') })
  const config = { configurable: { thread_id: 't1', checkpoint_ns: '', checkpoint_id: 'c0' } }
  await Promise.all([
    ...Array.from({ length: 5 }, () => saver.put(thread, emptyCheckpoint(), metadata, {})),
    ...Array.from({ length: 5 }, (_, n) => saver.putWrites(config, [['channel', n]], `task ${n}`)),
  ])
  const found = []
  for await (const tuple of saver.list(thread)) found.push(tuple)
  expect(found.length).toBe(5)
  await saver.put(thread, { ...emptyCheckpoint(), id: 'c0' }, metadata, {})
  expect((await saver.getTuple(config))?.pendingWrites?.length).toBe(5)
  await there.close()
  await end.remove()
})

test('a thread is deleted with all of its namespaces, and no other one', async () => {
  const saver = saverOf('acme')
  for (const [id, ns] of [
    ['t1', ''],
    ['t1', 'child'],
    ['t2', ''],
  ] as const)
    await saver.put({ configurable: { thread_id: id, checkpoint_ns: ns } }, emptyCheckpoint(), metadata, {})
  await saver.deleteThread('t1')
  const left = []
  for await (const { config } of saver.list({})) left.push(config.configurable?.thread_id)
  expect(left).toEqual(['t2'])
  await saver.deleteThread('never')
})

test('a config without a thread is refused before anything is written', async () => {
  const saver = saverOf('acme')
  await expect(saver.put({}, emptyCheckpoint(), metadata, {})).rejects.toThrow(/thread_id/)
  await expect(saver.putWrites(thread, [['c', 1]], 'task')).rejects.toThrow(/checkpoint_id/)
  expect((await memory.forTenant('acme').conversations.list()).items).toEqual([])
})
