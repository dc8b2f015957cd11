import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { LocalServer } from '../../src/backends/chromadb/local.js'
import {
  BINDING,
  COMMAND,
  end,
  eventually,
  freshFolder,
  isLeft,
  keepersOf,
  open,
  processesOf,
  serversOf,
  startUser,
  stateFile,
  stateOf,
} from './local-ground.js'
import { type Vectors, vectorsOf } from './vectors.js'

const NAMES = ['bruno-memory.json', 'bruno-memory-keeper.lock', 'bruno-memory-server.lock']

let written = 0

/** Writes until it is told to stop, as an application does that asks for the server again when it is away. */
function writeThrough(server: LocalServer): { stop(): Promise<string[]> } {
  const acknowledged: string[] = []
  let running = true
  const work = (async () => {
    let vectors: Vectors | undefined
    while (running) {
      written += 1
      const id = `w${written}`
      try {
        vectors ??= await vectorsOf(server.port)
        await vectors.add({ ids: [id], embeddings: [[written, 0, 1]] })
        acknowledged.push(id)
      } catch {
        vectors = undefined
        await server.ready()
      }
    }
  })()
  return {
    stop: async () => {
      running = false
      await work
      return acknowledged
    },
  }
}

async function expectStored(server: LocalServer, ids: readonly string[]): Promise<void> {
  const vectors = await vectorsOf(server.port)
  const stored = new Set((await vectors.get({ ids: [...new Set(ids)] })).ids)
  expect(ids.length).toBeGreaterThan(0)
  expect(ids.filter((id) => !stored.has(id))).toEqual([])
}

describe('one folder', () => {
  test('is served to all its processes by one server, which goes when the last of them is killed', async () => {
    const folder = freshFolder()
    const other = startUser({ persistDirectory: folder, chromaCommand: BINDING }, 'write')
    const server = await open(folder)
    expect(await other.next()).toEqual({ port: server.port })
    await expectStored(server, [String((await other.next()).id)])
    expect([keepersOf(folder), serversOf(folder)]).toEqual([1, 1])
    for (const name of NAMES) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'chroma.sqlite3')).mode & 0o777).toBe(0o600)

    await server.close()
    await server.close()
    await sleep(500)
    expect(serversOf(folder)).toBe(1)

    end(other.process.pid as number)
    expect(await eventually(() => isLeft(folder), 15_000)).toBeLessThan(10_000)
    const acknowledged = other.printed.slice(1).map(({ id }) => String(id))
    await expectStored(await open(folder), acknowledged)
  })

  test('does not keep a process alive that has nothing more to do', async () => {
    const folder = freshFolder()
    const user = startUser({ persistDirectory: folder, chromaCommand: BINDING }, 'leave')
    await user.next()
    await eventually(() => user.process.exitCode === 0, 3_000)
  })

  test('that ten processes open at once while it is fresh has one server in the end', async () => {
    const folder = freshFolder()
    const users = Array.from({ length: 10 }, () =>
      startUser({ persistDirectory: folder, chromaCommand: BINDING }, 'hold'),
    )
    const answers = await Promise.all(users.map((user) => user.next()))
    expect(new Set(answers.map(({ port }) => port))).toEqual(new Set([stateOf(folder).server?.port]))
    // Keepers that came too late end by themselves.
    await eventually(() => keepersOf(folder) === 1, 5_000)
    expect(serversOf(folder)).toBe(1)
  })

  test('that is opened again and again has one server at a time, also while one is just ending', async () => {
    const folder = freshFolder()
    const acknowledged: string[] = []
    for (let round = 0; round < 4; round += 1) {
      const server = await open(folder)
      const writes = writeThrough(server)
      await sleep(100)
      acknowledged.push(...(await writes.stop()))
      const { pid } = stateOf(folder)
      await server.close()
      // In the first rounds the keeper is still there, in the last it has been told to end.
      if (round > 1) process.kill(pid, 'SIGTERM')
      expect(serversOf(folder)).toBeLessThan(2)
    }
    const last = await open(folder)
    const writes = writeThrough(last)
    await sleep(500)
    acknowledged.push(...(await writes.stop()))
    await expectStored(last, acknowledged)
    await eventually(() => keepersOf(folder) === 1, 5_000)
  })
})

describe('when one is killed in the midst of writes', () => {
  for (const [what, command] of [
    ['the binding', BINDING],
    ['a command', COMMAND],
  ] as const)
    test(`the server, run by ${what}, comes back and has all that was acknowledged`, async () => {
      const folder = freshFolder()
      const server = await open(folder, { chromaCommand: command })
      const writes = writeThrough(server)
      for (let round = 0; round < 2; round += 1) {
        await sleep(300)
        for (const { pid } of processesOf(` --path ${folder}`).concat(processesOf(` run ${folder}`))) end(pid)
      }
      await sleep(300)
      const { pid } = stateOf(folder)
      await expectStored(server, await writes.stop())
      expect(stateOf(folder).pid).toBe(pid)
    })

  for (const [what, command] of [
    ['the binding', BINDING],
    ['a command', COMMAND],
  ] as const)
    test(`the keeper takes its server, run by ${what}, along, and its user starts another`, async () => {
      const folder = freshFolder()
      const server = await open(folder, { chromaCommand: command })
      const { port } = server
      const writes = writeThrough(server)
      await sleep(300)
      end(stateOf(folder).pid)
      await sleep(1_500)
      const acknowledged = await writes.stop()
      await server.ready()
      await expectStored(server, acknowledged)
      expect(server.port).toBe(port)
      expect([keepersOf(folder), serversOf(folder)]).toEqual([1, 1])
    })

  test('the keeper, its server does not stay behind without users either', async () => {
    const folder = freshFolder()
    const user = startUser({ persistDirectory: folder, chromaCommand: BINDING }, 'hold')
    await user.next()
    const { pid } = stateOf(folder)
    end(user.process.pid as number)
    end(pid)
    await eventually(() => processesOf(folder).length === 0, 5_000)
    // What it left is no obstacle for the next user.
    expect(readFileSync(stateFile(folder), 'utf8')).toContain('token')
    await open(folder)
  })

  test('keeper and overseer at once, the program that is left is ended before another starts', async () => {
    const folder = freshFolder()
    const server = await open(folder, { chromaCommand: COMMAND })
    const writes = writeThrough(server)
    await sleep(300)
    const before = processesOf(` --path ${folder}`).map(({ pid }) => pid)
    for (const { pid } of processesOf(` keep ${folder}`).concat(processesOf(` run ${folder}`))) end(pid)
    await eventually(() => processesOf(` --path ${folder}`).every(({ pid }) => !before.includes(pid)), 5_000)
    await server.ready()
    await expectStored(server, await writes.stop())
    const after = processesOf(` --path ${folder}`).map(({ pid }) => pid)
    expect([before.length, after.length]).toEqual([1, 1])
  })
})

describe('what an earlier keeper has left', () => {
  test('is replaced: a state of nobody, files with anything in them', async () => {
    const folder = freshFolder()
    const first = await open(folder)
    await (await vectorsOf(first.port)).add({ ids: ['kept'], embeddings: [[1, 0, 0]] })
    await first.close()
    for (const { pid } of processesOf(folder)) end(pid)
    await eventually(() => processesOf(folder).length === 0, 5_000)

    for (const name of NAMES) writeFileSync(join(folder, name), 'neither a lock nor a state '.repeat(300))
    const second = await open(folder)
    await expectStored(second, ['kept'])
    expect(statSync(stateFile(folder)).mode & 0o777).toBe(0o600)
  })

  for (const [what, answer] of [
    ['says something else', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['says nothing', ''],
  ] as const)
    test(`is replaced when somebody else has its port now and ${what}`, async () => {
      const folder = freshFolder()
      const stranger = createServer((socket) => void (answer && socket.write(answer)))
      await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void stranger.close())
      const { port } = stranger.address() as { port: number }
      const first = await open(folder)
      await first.close()
      for (const { pid } of processesOf(folder)) end(pid)
      // The process id is taken too: by this very process.
      const server = { group: process.pid, port: port + 1 }
      writeFileSync(stateFile(folder), JSON.stringify({ version: 1, pid: process.pid, port, token: 'old', server }))
      const second = await open(folder)
      await vectorsOf(second.port)
      expect(second.port).not.toBe(port + 1)
    })
})
