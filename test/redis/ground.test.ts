import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { startRedis } from '../ground/redis.js'
import { addUser, converse, RedisError, tell, tellBytes } from '../ground/redis-acl.js'
import { type RedisCluster, startRedisCluster } from '../ground/redis-cluster.js'
import { infoOf, startRedisReplica, until } from '../ground/redis-replica.js'
import { promoted, startRedisSentinel } from '../ground/redis-sentinel.js'
import { startRedisTls, tellTls } from '../ground/redis-tls.js'
import type { Server } from '../ground/types.js'
import { makeAuthority } from '../support/certificates.js'
import { pause } from '../support/gate.js'
import { type FaultyProxy, startProxy } from '../support/proxy.js'

let server: Server
beforeAll(async () => {
  server = await startRedis({ own: true })
})
afterAll(() => server.stop())
beforeEach(() => tell(server.url, 'FLUSHALL'))

/** A failed command's answer, by its first word. */
const refused = (code: string): Partial<RedisError> => ({ name: 'RedisError', code })

describe('tell', () => {
  test('answers every kind of reply', async () => {
    expect(await tell(server.port, 'SET', 'key', 'Grüße\r\n')).toBe('OK')
    expect(await tell(server.url, 'GET', 'key')).toBe('Grüße\r\n')
    expect(await tell(server.url, 'GET', 'none')).toBeNull()
    expect(await tell(server.url, 'DEL', 'key')).toBe(1)
    expect(await tell(server.url, 'EVAL', "return {1, 'two', {'three', {}}, false}", 0)).toEqual([
      1,
      'two',
      ['three', []],
      null,
    ])
    expect(await tell(server.url, 'BLPOP', 'none', 0.01)).toBeNull()
  })

  test('answers what comes in many pieces, and bytes that are no text', async () => {
    const long = Buffer.alloc(3_000_000, 0xfe)
    const short = Buffer.from([0, 13, 10, 255])
    await tell(server.url, 'RPUSH', 'list', long, short)
    const [first, second] = (await tellBytes(server.url, 'LRANGE', 'list', 0, -1)) as Buffer[]
    expect(first?.equals(long)).toBe(true)
    expect(second).toEqual(short)
  })

  test('throws an error, but for one within an array', async () => {
    await expect(tell(server.url, 'NONSENSE')).rejects.toMatchObject(refused('ERR'))
    const commands = [['MULTI'], ['SET', 'key', 'words'], ['INCR', 'key'], ['EXEC']]
    const replies = await converse(connect(server.port, '127.0.0.1'), commands)
    expect(replies).toEqual([Buffer.from('OK'), expect.any(RedisError)])
  })
})

test('a user may do what its rules say', async () => {
  const url = await addUser(server, 'reader', 'pass word/1', ['~mine:*', '+get', '+acl|whoami'])
  expect(await tell(url, 'ACL', 'WHOAMI')).toBe('reader')
  expect(await tell(url, 'GET', 'mine:1')).toBeNull()
  await expect(tell(url, 'GET', 'other')).rejects.toMatchObject(refused('NOPERM'))
  await expect(tell(url, 'SET', 'mine:1', 'x')).rejects.toMatchObject(refused('NOPERM'))
  await addUser(server, 'reader', 'other', [])
  await expect(tell(url, 'GET', 'mine:1')).rejects.toMatchObject(refused('WRONGPASS'))
})

describe('a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster()
  })
  afterAll(async () => {
    const folders = cluster.nodes.map(({ folder }) => folder)
    await cluster.stop()
    expect(folders.filter(existsSync)).toEqual([])
  })

  test('agrees on its state and on who has which slot', async () => {
    expect(cluster.nodes).toHaveLength(3)
    for (const url of cluster.urls) expect(await tell(url, 'CLUSTER', 'INFO')).toMatch(/^cluster_state:ok\r$/m)
    expect(await Promise.all([0, 8000, 16_383].map((slot) => cluster.ownerOf(slot)))).toEqual([0, 1, 2])
    await expect(tell(cluster.urls[1] ?? '', 'GET', 'foo')).rejects.toMatchObject(refused('MOVED'))
  })

  test('moves a slot key by key, and clients are sent after them', async () => {
    const slot = Number(await tell(cluster.urls[0] ?? '', 'CLUSTER', 'KEYSLOT', '{moved}'))
    const from = await cluster.ownerOf(slot)
    const to = (from + 1) % 3
    const [old = '', fresh = ''] = [cluster.urls[from], cluster.urls[to]]
    const keys = ['{moved}1', '{moved}2', '{moved}3']
    for (const key of keys) await tell(old, 'SET', key, `value of ${key}`)

    const seen: string[][] = []
    const betweenKeys = async (): Promise<void> => {
      const commands = [...keys.map((key) => ['GET', key]), ['MGET', ...keys]]
      const answers = commands.map(([name = '', ...rest]) => codeOf(tell(old, name, ...rest)))
      seen.push((await Promise.all(answers)).sort())
      await expect(tell(fresh, 'GET', keys[0] ?? '')).rejects.toMatchObject(refused('MOVED'))
    }
    await cluster.moveSlot(slot, to, { betweenKeys })

    expect(seen).toEqual([
      ['ASK', 'TRYAGAIN', 'answered', 'answered'],
      ['ASK', 'ASK', 'TRYAGAIN', 'answered'],
      ['ASK', 'ASK', 'ASK', 'ASK'],
    ])
    expect(await cluster.ownerOf(slot)).toBe(to)
    expect(await tell(fresh, 'MGET', ...keys)).toEqual(keys.map((key) => `value of ${key}`))
    const moved = `MOVED ${slot} 127.0.0.1:${cluster.nodes[to]?.port}`
    await expect(tell(old, 'GET', keys[0] ?? '')).rejects.toThrow(moved)
  })

  test('takes a killed node back with its data', async () => {
    const node = cluster.nodes[await cluster.ownerOf(12_182)]
    await tell(node?.url ?? '', 'SET', 'foo', 'kept')
    await node?.kill()
    await node?.start()
    await expect(tell(node?.url ?? '', 'GET', 'foo')).rejects.toMatchObject(refused('CLUSTERDOWN'))
    await cluster.agreed()
    expect(await tell(node?.url ?? '', 'GET', 'foo')).toBe('kept')
  })
})

test('a replica has what its primary has, and refuses writes', async () => {
  await tell(server.url, 'SET', 'before', '1')
  await using replica = await startRedisReplica(server)
  expect(await tell(replica.url, 'GET', 'before')).toBe('1')
  await tell(server.url, 'SET', 'after', '2')
  await replica.caughtUp()
  expect(await tell(replica.url, 'GET', 'after')).toBe('2')
  await expect(tell(replica.url, 'SET', 'after', '3')).rejects.toMatchObject(refused('READONLY'))
})

test('a sentinel leaves a primary that answers, and replaces one that was killed', async () => {
  await using group = await startRedisSentinel()
  const { primary, replica, sentinel, name } = group
  await tell(primary.url, 'SET', 'key', 'kept')
  await pause(1_000)
  const address = (): Promise<unknown> => tell(sentinel.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)
  expect(await address()).toEqual(['127.0.0.1', String(primary.port)])

  await primary.kill()
  await promoted(group, replica)
  expect(await address()).toEqual(['127.0.0.1', String(replica.port)])
  expect(await tell(replica.url, 'GET', 'key')).toBe('kept')
  expect(await tell(replica.url, 'SET', 'key', 'new')).toBe('OK')

  await primary.start()
  await until('the former primary to be a replica', async () => (await infoOf(primary, 'replication')).role === 'slave')
})

test('a server with TLS refuses plain connections, and a client refuses another authority', async () => {
  await using secured = await startRedisTls()
  const { port } = secured.server
  expect(secured.url).toBe(`rediss://127.0.0.1:${port}`)
  expect(await tellTls(port, secured.authority, 'PING')).toBe('PONG')
  await expect(tell(port, 'PING')).rejects.toThrow(/ECONNRESET|ended before/)
  await expect(tellTls(port, makeAuthority().certificate, 'PING')).rejects.toThrow(/certificate/)
})

describe('a proxy', () => {
  let proxy: FaultyProxy
  beforeEach(async () => {
    proxy = await startProxy({ host: '127.0.0.1', port: server.port })
    return () => proxy.stop()
  })

  /** A connection through the proxy, and all that it has heard. */
  async function client(): Promise<{ socket: Socket; heard: () => string }> {
    const socket = connect(proxy.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let heard = ''
    socket.on('data', (data) => {
      heard += data.toString()
    })
    socket.on('error', () => {})
    socket.write('PING\r\n')
    await vi.waitFor(() => expect(heard).toBe('+PONG\r\n'))
    return { socket, heard: () => heard.slice('+PONG\r\n'.length) }
  }

  test('passes everything on, and knows its connections', async () => {
    const long = Buffer.alloc(5_000_000, 7)
    expect(proxy.url('redis')).toBe(`redis://127.0.0.1:${proxy.port}`)
    await tell(proxy.url('redis'), 'SET', 'long', long)
    expect(long.equals((await tellBytes(proxy.url('redis'), 'GET', 'long')) as Buffer)).toBe(true)
    await vi.waitFor(() => expect(proxy.connections).toBe(0))
    const { socket } = await client()
    expect(proxy.connections).toBe(1)
    socket.end()
    await once(socket, 'close')
    await vi.waitFor(() => expect(proxy.connections).toBe(0))
  })

  test('cuts all connections, and takes new ones', async () => {
    const clients = [await client(), await client()]
    const closed = Promise.all(clients.map(({ socket }) => once(socket, 'close')))
    proxy.cut()
    await closed
    expect(proxy.connections).toBe(0)
    expect(await tell(proxy.port, 'PING')).toBe('PONG')
  })

  test('holds bytes back both ways until the thaw', async () => {
    const { socket, heard } = await client()
    await tell(server.url, 'SET', 'key', 'old')
    proxy.freeze()
    socket.write('SET key new\r\n')
    const another = tell(proxy.port, 'PING')
    await pause(100)
    expect(heard()).toBe('')
    expect(await tell(server.url, 'GET', 'key')).toBe('old')
    proxy.thaw()
    await vi.waitFor(() => expect(heard()).toBe('+OK\r\n'))
    expect(await another).toBe('PONG')
  })

  test('frozen, lets neither side hear that the other has gone', async () => {
    const [one, other] = [await client(), await client()]
    for (const { socket } of [one, other]) socket.write('CLIENT ID\r\n')
    await vi.waitFor(() =>
      expect([one.heard(), other.heard()]).toEqual(Array(2).fill(expect.stringMatching(/^:\d+\r\n$/))),
    )
    const [id = '', otherId = ''] = [one, other].map(({ heard }) => heard().slice(1).trim())
    const known = async (): Promise<boolean> =>
      String(await tell(server.url, 'CLIENT', 'LIST', 'ID', otherId)).includes(otherId)

    proxy.freeze()
    await tell(server.url, 'CLIENT', 'KILL', 'ID', id)
    other.socket.resetAndDestroy()
    await pause(100)
    expect(one.socket.closed || one.socket.readableEnded).toBe(false)
    expect(await known()).toBe(true)

    proxy.thaw()
    await once(one.socket, 'close')
    await vi.waitFor(async () => expect(await known()).toBe(false))
  })

  test('refuses new connections, and keeps those that are there', async () => {
    const { socket, heard } = await client()
    proxy.refuse(true)
    await expect(tell(proxy.port, 'PING')).rejects.toThrow(/ECONNRESET|EPIPE|ended before/)
    socket.write('PING\r\n')
    await vi.waitFor(() => expect(heard()).toBe('+PONG\r\n'))
    proxy.refuse(false)
    expect(await tell(proxy.port, 'PING')).toBe('PONG')
  })

  test('loses the answer to what was done', async () => {
    proxy.dropReplies(2)
    for (const done of [1, 2]) {
      await expect(tell(proxy.port, 'INCR', 'count')).rejects.toThrow(/ECONNRESET|ended before/)
      expect(await tell(server.url, 'GET', 'count')).toBe(String(done))
    }
    expect(await tell(proxy.port, 'INCR', 'count')).toBe(3)
  })

  test('counts round trips, of which a pipeline is one', async () => {
    const { socket, heard } = await client()
    expect(proxy.roundTrips()).toBe(1)
    proxy.reset()
    socket.write('PING\r\nPING\r\nPING\r\n')
    await vi.waitFor(() => expect(heard()).toBe('+PONG\r\n'.repeat(3)))
    expect(proxy.roundTrips()).toBe(1)
    await tell(proxy.port, 'PING')
    await tell(proxy.port, 'PING')
    expect(proxy.roundTrips()).toBe(3)
  })

  test('ends its clients when the server is not there', async () => {
    await using gone = await startRedis({ own: true })
    await using through = await startProxy({ host: '127.0.0.1', port: gone.port })
    await gone.kill()
    await expect(tell(through.port, 'PING')).rejects.toThrow(/ECONNRESET|ended before/)
    await gone.start()
    expect(await tell(through.port, 'PING')).toBe('PONG')
    await through.stop()
    await expect(tell(through.port, 'PING')).rejects.toThrow(/ECONNREFUSED/)
  })
})

/** The error that a command is answered with, or that it was answered. */
function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'answered',
    (error: unknown) => (error instanceof RedisError ? error.code : String(error)),
  )
}
