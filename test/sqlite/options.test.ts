import { describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { ConfigurationError } from '../../src/errors.js'
import { listBackends } from '../../src/registry.js'

/** What `createBackend` says; it must be a ConfigurationError, before anything is opened. */
function complaint(name: unknown, options?: unknown): string {
  try {
    createBackend(name as string, options as object)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ code: 'configuration', retryable: false })
    return (error as Error).message
  }
  throw new Error('accepted')
}
const about = (options: object): string => complaint('sqlite', { databasePath: ':memory:', ...options })

describe('options', () => {
  test.each([
    ['databasepath', 'databasePath'],
    ['enableFTS', 'enableFts'],
    ['durabilty', 'durability'],
    ['busyTimout', 'busyTimeout'],
    ['writeTimeOut', 'writeTimeout'],
    ['langauge', 'language'],
    ['migrat', 'migrate'],
  ])('an unknown name %s is answered with the nearest known one, %s', (wrong, right) => {
    expect(about({ [wrong]: 1 })).toBe(`option ${wrong}: is not a known field, did you mean "${right}"?`)
  })

  test('a name that is like none is refused without a guess', () => {
    expect(about({ poolSize: 3 })).toBe('option poolSize: is not a known field')
    expect(about({ limits: { contents: 5 } })).toContain('limits.contents')
  })

  test.each<[string, object]>([
    ['databasePath', { databasePath: 7 }],
    ['databasePath', { databasePath: '' }],
    ['databasePath', { databasePath: 'a\0b' }],
    ['databasePath', { databasePath: undefined }],
    ['enableFts', { enableFts: 'yes' }],
    ['durability', { durability: 'forever' }],
    ['migrate', { migrate: true }],
    ['busyTimeout', { busyTimeout: -1 }],
    ['busyTimeout', { busyTimeout: Number.NaN }],
    ['busyTimeout', { busyTimeout: '100' }],
    ['writeTimeout', { writeTimeout: 0 }],
    ['tenancy', { tenancy: 'none' }],
    ['language', { language: 3 }],
    ['clock', { clock: 12 }],
    ['newId', { newId: 'uuid' }],
    ['limits', { limits: 5 }],
    ['limits.content', { limits: { content: 0 } }],
    ['searchWeights', { searchWeights: 0.5 }],
    ['searchWeights.text', { searchWeights: { text: -0.1 } }],
    ['searchWeights.vector', { searchWeights: { text: 1, vector: Number.NaN } }],
    ['searchWeights.vector', { searchWeights: { vector: 1001 } }],
  ])('a wrong %s is refused by its name: %o', (name, options) => {
    expect(about(options)).toMatch(new RegExp(`^${name}: `))
  })

  test('weights that count nothing are refused, and one that is not named keeps its default', () => {
    expect(about({ searchWeights: { text: 0, vector: 0 } })).toBe('option searchWeights: must not both be 0')
    expect(about({ searchWeights: { txt: 1 } })).toBe('option searchWeights.txt: is not a known field')
    for (const searchWeights of [{}, { text: 0 }, { vector: 0 }])
      expect(() => createBackend('sqlite', { databasePath: ':memory:', searchWeights })).not.toThrow()
  })

  test.each([null, 5, 'text', [], () => ({})])('%o are no options', (options) => {
    expect(complaint('sqlite', options)).not.toBe('')
  })

  test('a name that every object has is no language', async () => {
    const memory = createBackend('sqlite', { databasePath: ':memory:', language: 'constructor' })
    await expect(memory.connect()).rejects.toMatchObject({ code: 'configuration' })
  })

  test('an unknown language is answered with those that are known', async () => {
    const memory = createBackend('sqlite', { databasePath: ':memory:', language: 'englsh' })
    await expect(memory.connect()).rejects.toThrow(/option language: "englsh" is not known, did you mean "english"\?/)
    await memory.close()
  })
})

describe('backends and URLs', () => {
  test.each([
    ['sqllite', 'sqlite'],
    ['sqlit:./x.db', 'sqlite'],
  ])('%s is answered with the nearest known name', (name, nearest) => {
    expect(complaint(name)).toContain(`did you mean "${nearest}"?`)
  })

  test.each(['oracle://host/db', 'memcached', '', ' ', '://', '/tmp', './x.db'])(
    '"%s" is told what is known',
    (name) => {
      expect(complaint(name)).toContain(`known are ${listBackends().join(', ')}`)
    },
  )

  test.each([undefined, null, 5, {}, ['sqlite']])('%o is no name', (name) => {
    expect(complaint(name)).toBe('the backend must be given by a name or a URL')
  })

  test('a password in a URL is not repeated', () => {
    expect(complaint('mysql://ada:SECRET@host/db')).not.toContain('SECRET')
  })
})
