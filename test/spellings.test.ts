import { afterAll, describe, expect, it } from 'vitest'
import { createBackend, prepare } from '../src/backend.js'
import { refused } from './conformance/expecting.js'
import { ADA, contentsOf, talk } from './conformance/fixtures.js'
import { freshDatabase, leaveServer } from './postgresql/support/databases.js'
import { freshPrefix, serverUrl } from './redis/support/memories.js'

afterAll(leaveServer)

const optionsOf = (name: string, options: object): object => prepare(name, options).options

describe('options as the Python package calls them', () => {
  it('mean the same here', () => {
    expect(
      optionsOf('redis', {
        database: 3,
        ssl: true,
        ttlDefault: 60,
        keyPrefix: 'app',
        socketTimeout: 2.5,
        socketConnectTimeout: 1,
      }),
    ).toEqual({ db: 3, tls: true, ttl: 60, prefix: 'app', callTimeout: 2500, connectTimeout: 1000 })
    expect(optionsOf('redis', { ttlSeconds: 60 })).toEqual({ ttl: 60 })
    expect(optionsOf('sqlite', { databasePath: ':memory:', connectionTimeout: 30 })).toEqual({
      databasePath: ':memory:',
      busyTimeout: 30_000,
    })
    expect(
      optionsOf('postgresql', {
        host: 'db',
        port: 5433,
        database: 'my db',
        username: 'a@b',
        password: 'p:/w',
        sslMode: 'disable',
        poolMaxSize: 7,
      }),
    ).toEqual({ connectionString: 'postgres://a%40b:p%3A%2Fw@db:5433/my%20db', ssl: false, poolSize: 7 })
  })

  it('are known to the compiler', () => {
    createBackend('redis', { keyPrefix: 'app', ttlDefault: 60 })
    createBackend('postgresql', { database: 'app', username: 'app' })
    // @ts-expect-error a connection string, or its parts
    expect(() => createBackend('postgresql', {})).toThrow(/connectionString/)
  })

  it('stand in place of our own names, not beside them', () => {
    const refused = (name: string, options: object): string => {
      try {
        prepare(name, options)
      } catch (error) {
        return (error as Error).message
      }
      return 'was accepted'
    }
    expect(refused('redis', { ttl: 5, ttlDefault: 6 })).toMatch(/^option ttlDefault: is another name of ttl/)
    expect(refused('redis', { ttlSeconds: 5, ttlDefault: 6 })).toMatch(/another name of ttl/)
    expect(refused('postgresql', { connectionString: 'postgres://a/b', host: 'c' })).toMatch(/^option host/)
    expect(refused('postgresql', { host: 'c', username: 'a' })).toMatch(/^option database: is required/)
    expect(refused('redis', { socketTimeout: 'soon' })).toMatch(/callTimeout: must be a number/)
    expect(refused('postgresql', { database: 'd', username: 'u', password: 'secret', sslMode: 'x' })).not.toMatch(
      /secret/,
    )
  })
})

describe('memories that are opened by those names', () => {
  it('PostgreSQL by its host, port, database, user and password', async () => {
    const url = new URL(await freshDatabase())
    const place = {
      host: url.hostname,
      port: Number(url.port),
      database: decodeURIComponent(url.pathname.slice(1)),
      username: decodeURIComponent(url.username),
      ...(url.password && { password: decodeURIComponent(url.password) }),
      poolMaxSize: 2,
    }
    const memory = createBackend('postgresql', place)
    await talk(memory, 'c', ['by its parts'])
    await memory.close()
    const same = createBackend('postgresql', { connectionString: url.href })
    expect(contentsOf((await same.messages.list('c')).items)).toEqual(['by its parts'])
    await same.close()
    const absent = createBackend('postgresql', { ...place, database: `${place.database}, or none` })
    await refused(absent.connect(), 'connection')
    await absent.close()
  })

  it('Redis by keyPrefix and database', async () => {
    const url = new URL(serverUrl())
    const keyPrefix = freshPrefix()
    const place = { host: url.hostname, port: Number(url.port || 6379), keyPrefix }
    const memory = createBackend('redis', { ...place, database: 1 })
    await talk(memory, 'c', ['under the prefix'])
    const same = createBackend('redis', { url: new URL('/1', url).href, prefix: keyPrefix })
    expect(contentsOf((await same.messages.list('c')).items)).toEqual(['under the prefix'])
    for (const other of [place, { ...place, database: 1, keyPrefix: `${keyPrefix} other` }]) {
      await using elsewhere = createBackend('redis', other)
      expect(await elsewhere.users.get(ADA)).toBeNull()
    }
    await Promise.all([memory.close(), same.close()])
  })
})
