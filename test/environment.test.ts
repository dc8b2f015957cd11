import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createFromEnv } from '../src/environment.js'
import { ConfigurationError } from '../src/errors.js'
import { transferOnline } from '../src/run-online.js'

const refused = (environment: Record<string, string>, options = {}): string => {
  try {
    createFromEnv(options, environment)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message
  }
  return 'was accepted'
}

it('opens the backend of BRUNO_MEMORY_URL', async () => {
  await using memory = createFromEnv({}, { BRUNO_MEMORY_URL: 'sqlite::memory:' })
  await memory.users.create({ id: 'ada' })
  expect((await memory.statistics()).users).toBe(1)
})

it('hands options on, and the model of BRUNO_MEMORY_EMBEDDINGS unless they name one', () => {
  const url = { BRUNO_MEMORY_URL: 'sqlite::memory:' }
  expect(createFromEnv({}, url).capabilities.vectorSearch).toBe(false)
  expect(createFromEnv({}, { ...url, BRUNO_MEMORY_EMBEDDINGS: 'offline' }).capabilities.vectorSearch).toBe(true)
  expect(refused({ ...url, BRUNO_MEMORY_EMBEDDINGS: '' }, { tenncy: 'required' })).toMatch(/tenncy.*"tenancy"/)
})

it('composes what BRUNO_MEMORY_SEMANTIC_URL and BRUNO_MEMORY_CACHE_URL name with it', () => {
  const url = { BRUNO_MEMORY_URL: 'sqlite::memory:' }
  const cached = createFromEnv({}, { ...url, BRUNO_MEMORY_CACHE_URL: 'redis://127.0.0.1:1' })
  expect(cached.capabilities).toMatchObject({ rateLimits: true, vectorSearch: false, atomicUnit: true })
  const semantic = { ...url, BRUNO_MEMORY_SEMANTIC_URL: 'qdrant://127.0.0.1:1', BRUNO_MEMORY_EMBEDDINGS: 'offline' }
  expect(createFromEnv({}, semantic).capabilities).toMatchObject({ vectorSearch: true, textSearch: true })
})

it('goes where BRUNO_MEMORY_MOVING_TO says once the memory has been moved', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-environment-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [from, to] = ['from', 'to'].map((name) => `sqlite:${join(folder, name)}.db`) as [string, string]
  await using memory = createFromEnv({}, { BRUNO_MEMORY_URL: from, BRUNO_MEMORY_MOVING_TO: to })
  await memory.users.create({ id: 'ada' })
  await transferOnline({ from: { url: from }, to: { url: to } })
  await memory.users.create({ id: 'bob' })
  await using there = createFromEnv({}, { BRUNO_MEMORY_URL: to })
  expect((await there.users.list()).items.map(({ id }) => id)).toEqual(['ada', 'bob'])
})

it('says which variable is absent or wrong', () => {
  expect(refused({})).toMatch(/BRUNO_MEMORY_URL is not set/)
  expect(refused({ BRUNO_MEMORY_URL: 'sqlit:x' })).toMatch(/BRUNO_MEMORY_URL.*did you mean "sqlite"/)
  const url = { BRUNO_MEMORY_URL: 'sqlite::memory:' }
  for (const name of ['BRUNO_MEMORY_CACHE_URL', 'BRUNO_MEMORY_SEMANTIC_URL'])
    expect(refused({ ...url, [name]: 'sqlite:./x.db' })).toContain(name)
  expect(refused({ ...url, BRUNO_MEMORY_MOVING_TO: 'sqlit:x' })).toContain('BRUNO_MEMORY_MOVING_TO')
})

it('repeats no password', () => {
  expect(refused({ BRUNO_MEMORY_URL: 'redis://ada:secret@localhost/x' })).not.toContain('secret')
})
