import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, inject, test } from 'vitest'
import {
  abandonOnline,
  ConflictError,
  createBackend,
  createMemory,
  MovedError,
  switchBackOnline,
  transfer,
  transferOnline,
} from '../../src/index.js'
import { cli } from '../cli/support.js'
import { type End, type EndName, freshEnd } from './support/ends.js'
import { contentOf, differencesOf, fill, until, type Writers, writers } from './support/writing.js'

const servers = inject('servers')
const ends: End[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end.remove()
})
async function fresh(name: EndName): Promise<string> {
  const end = await freshEnd(name, servers)
  ends.push(end)
  return end.url
}

const expectSame = (found: ReadonlyMap<string, string>, all: readonly Writers[]): void =>
  expect(differencesOf(found, all)).toEqual({ lost: [], risen: [] })

const PAIRS = [
  ['sqlite', 'postgresql'],
  ['postgresql', 'sqlite'],
  ['sqlite', 'sqlite'],
  ['postgresql', 'postgresql'],
] as const

test.each(PAIRS)(
  'a memory in use moves from %s to %s: nothing is lost, nothing rises, and writers go on there',
  async (source, sink) => {
    const [from, to] = [await fresh(source), await fresh(sink)]
    await fill(from)
    const all = ['a', 'b'].map((name) => writers(from, to, name))
    try {
      await until(() => all.every(({ took }) => took.length > 30))
      const report = await transferOnline({ from: { url: from }, to: { url: to } })
      expect(report.online.moved).toBe(true)
      expect(report.verified?.equal).toBe(true)
      expect(report.online.applied).toBeGreaterThan(0)
      const after = all.map(({ took }) => took.length)
      await until(() => all.every(({ took }, i) => took.length > (after[i] as number) + 20))
    } finally {
      await Promise.all(all.map(({ end }) => end()))
    }
    expect(all.flatMap(({ failed }) => failed)).toEqual([])
    const found = await contentOf(to)
    expectSame(found, all)
    // The old one takes no writes, and is not opened by mistake.
    const old = createBackend(from)
    await expect(old.connect()).rejects.toThrow(MovedError)
    await old.close()
  },
  120_000,
)

test('a program that was not told of the target is told to go there', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(from)
  const one = writers(from, '', 'a', 2)
  await until(() => one.took.length > 20)
  await transferOnline({ from: { url: from }, to: { url: to } })
  await until(() => one.moved() === 2)
  await one.end()
  const found = await contentOf(to)
  expectSame(found, [one])
}, 60_000)

test('the old store is kept up, and can take its place again with all that was written since', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
  await fill(from)
  const all = ['a', 'b'].map((name) => writers(from, to, name, 2))
  try {
    await until(() => all.every(({ took }) => took.length > 20))
    const stop = new AbortController()
    const moving = transferOnline({
      from: { url: from },
      to: { url: to },
      soak: 60_000,
      signal: stop.signal,
      onProgress: ({ phase }) => {
        if (phase === 'soak') setTimeout(() => stop.abort(), 1000)
      },
    })
    const report = await moving
    expect(report.online).toMatchObject({ moved: true })
    expect(report.online.soaked).toBeGreaterThan(0)
    const { applied } = await switchBackOnline({ from: { url: from }, to: { url: to } })
    expect(applied).toBeGreaterThan(0)
    const after = all.map(({ took }) => took.length)
    await until(() => all.every(({ took }, i) => took.length > (after[i] as number) + 20))
  } finally {
    await Promise.all(all.map(({ end }) => end()))
  }
  expect(all.flatMap(({ failed }) => failed)).toEqual([])
  const found = await contentOf(from)
  expectSame(found, all)
}, 120_000)

test('a move that was stopped goes on, or is given up: the source is as it was', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
  await fill(from)
  const stop = new AbortController()
  const first = await transferOnline({
    from: { url: from },
    to: { url: to },
    signal: stop.signal,
    onProgress: ({ phase }) => {
      if (phase === 'probe') stop.abort()
    },
  })
  expect(first.online.moved).toBe(false)
  expect(first.interrupted).toBe(true)
  await using memory = createMemory({ primary: from, movingTo: to })
  await memory.messages.append('old 1', [{ id: 'between', role: 'user', content: 'written between' }])
  await expect(transferOnline({ from: { url: from }, to: { url: to } })).rejects.toThrow(ConflictError)
  const second = await transferOnline({ from: { url: from }, to: { url: to }, resume: true })
  expect(second.online.moved).toBe(true)
  expect(second.resumed).toBe(true)
  expect((await memory.messages.list('old 1', { last: 1 })).items[0]?.id).toBe('between')

  const [another, there] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(another)
  const again = new AbortController()
  again.abort()
  await transferOnline({ from: { url: another }, to: { url: there }, signal: again.signal })
  await abandonOnline({ from: { url: another }, to: { url: there } })
  await using as = createBackend(another)
  await as.messages.append('old 1', [{ role: 'user', content: 'as before' }])
  expect((await as.messages.list('old 1', { last: 1 })).items[0]?.content).toBe('as before')
}, 60_000)

const STEPS = ['copy', 'catch-up', 'verify', 'probe', 'switch'] as const

test.each(STEPS)(
  'given up at the step %s, the old store has everything, and writers go on',
  async (step) => {
    const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
    await fill(from)
    const one = writers(from, to, 'a', 4)
    try {
      await until(() => one.took.length > 20)
      const stop = new AbortController()
      const report = await transferOnline({
        from: { url: from },
        to: { url: to },
        signal: stop.signal,
        onProgress: ({ phase }) => {
          if (phase === step) stop.abort()
        },
      })
      expect(report.online.moved).toBe(false)
      await abandonOnline({ from: { url: from }, to: { url: to } })
      const after = one.took.length
      await until(() => one.took.length > after + 20)
    } finally {
      await one.end()
    }
    expect(one.failed).toEqual([])
    expectSame(await contentOf(from), [one])
  },
  60_000,
)

test.each(STEPS)(
  'killed at the step %s, it goes on, and nothing is lost',
  async (step) => {
    const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
    await fill(from)
    const one = writers(from, to, 'a', 4)
    try {
      await until(() => one.took.length > 20)
      const script = fileURLToPath(new URL('./support/dying-online.ts', import.meta.url))
      const child = spawn(process.execPath, ['--import', 'tsx', script, from, to, step], { stdio: 'inherit' })
      const [, signal] = await once(child, 'exit')
      expect(signal).toBe('SIGKILL')
      const report = await transferOnline({ from: { url: from }, to: { url: to }, resume: true, force: true })
      expect(report.online.moved).toBe(true)
      const after = one.took.length
      await until(() => one.took.length > after + 20)
    } finally {
      await one.end()
    }
    expect(one.failed).toEqual([])
    expectSame(await contentOf(to), [one])
  },
  60_000,
)

test('a target that is not empty is refused, and the source is as if nothing had been asked', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
  await fill(from)
  await fill(to)
  await expect(transferOnline({ from: { url: from }, to: { url: to } })).rejects.toThrow(/holds 511 records already/)
  expect(await cli(['migrate', 'verify', '--url', from])).toMatchObject({ code: 0 })
  await using memory = createBackend(from)
  await memory.messages.append('old 1', [{ role: 'user', content: 'as before' }])
  await expect(abandonOnline({ from: { url: from }, to: { url: to } })).resolves.toBeUndefined()
})

test('while it is noted what is written, the schema is as it should be', async () => {
  for (const name of ['sqlite', 'postgresql'] as const) {
    const [from, to] = [await fresh(name), await fresh('sqlite')]
    await fill(from)
    await transferOnline({ from: { url: from }, to: { url: to }, signal: AbortSignal.abort() })
    expect(await cli(['migrate', 'verify', '--url', from])).toMatchObject({ code: 0 })
    await transferOnline({ from: { url: from }, to: { url: to }, resume: true })
    expect(await cli(['migrate', 'verify', '--url', from])).toMatchObject({ code: 0 })
  }
})

test('what somebody else put into the target is not removed, and nothing is switched', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(from)
  await transferOnline({ from: { url: from }, to: { url: to }, signal: AbortSignal.abort() })
  await using stranger = createBackend(to)
  await stranger.memories.add({ id: 'theirs', userId: 'eve', type: 'fact', content: 'kept' })
  const going = transferOnline({ from: { url: from }, to: { url: to }, resume: true })
  await expect(going).rejects.toThrow(/records differ, nothing was switched: .*theirs/)
  expect((await stranger.memories.get('theirs'))?.content).toBe('kept')
  await using memory = createBackend(from)
  await memory.messages.append('old 1', [{ role: 'user', content: 'as before' }])
})

test('an operation that ran before the switch does not run again behind it', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
  await using memory = createMemory({ primary: from, movingTo: to })
  let ran = 0
  const once = () =>
    memory.unitOfWork(
      async (unit) => {
        ran++
        await unit.memories.add({ userId: 'ada', type: 'fact', content: `run ${ran}` })
        return ran
      },
      { operationId: 'payment-1' },
    )
  expect(await once()).toBe(1)
  await transferOnline({ from: { url: from }, to: { url: to } })
  expect(await once()).toBe(1)
  expect(ran).toBe(1)
  expect((await memory.memories.list()).items.map(({ content }) => content)).toEqual(['run 1'])
})

test('vectors that are made or brought meanwhile are moved bit for bit', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
  const open = { embeddingDimensions: 3 }
  await using memory = createBackend(from, open)
  const add = (id: string, vector: number[]) =>
    memory.documents.upsert([{ namespace: 'n', id, content: `text ${id}`, vector }])
  await add('a', [0.1, 0.2, 0.3])
  await add('b', [0.3, 0.2, 0.1])
  await transferOnline({ from: { url: from }, to: { url: to }, signal: AbortSignal.abort() })
  await add('a', [0.9, -0, 0.1])
  await add('c', [1e-40, 0.5, 0.5])
  await memory.documents.delete('n', 'b')
  const report = await transferOnline({ from: { url: from }, to: { url: to }, resume: true })
  expect(report).toMatchObject({ verified: { equal: true }, online: { moved: true } })
  const verified = await transfer({ from: { url: from }, to: { url: to }, verifyOnly: true })
  expect(verified.verified).toMatchObject({ equal: true, counts: { document: { source: 2, target: 2 } } })
})
