import { describe, expect, it } from 'vitest'
import { createBackend, prepare } from '../src/backend.js'

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
