import { v7 } from 'uuid'
import * as v from 'valibot'
import type { Capabilities } from './contract/capabilities.js'
import type { Memory } from './contract/memory.js'
import { ConfigurationError } from './errors.js'
import { makeMemory } from './memory.js'
import { type ObjectSchema, parseOptions, suggestion, whole } from './model/parse.js'
import { DEFAULT_LIMITS, type Limits, type SqliteOptions } from './options.js'

const limits = v.strictObject(
  Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, v.optional(whole(1))])) as {
    [K in keyof Limits]: v.OptionalSchema<ReturnType<typeof whole>, undefined>
  },
)
const functionOf = <T>() => v.custom<T>((value) => typeof value === 'function', 'must be a function')
const common = {
  tenancy: v.optional(v.picklist(['optional', 'required'])),
  language: v.optional(v.string()),
  limits: v.optional(limits),
  clock: v.optional(functionOf<() => number>()),
  newId: v.optional(functionOf<() => string>()),
}
const sqlite = v.strictObject({
  databasePath: v.pipe(
    v.string(),
    v.check((path) => path !== '' && !path.includes('\0'), 'must be a file path or :memory:'),
  ),
  enableFts: v.optional(v.boolean()),
  durability: v.optional(v.picklist(['power', 'process'])),
  migrate: v.optional(v.picklist(['auto', 'check'])),
  // Longer than a timer can be set for, and it would fire at once.
  busyTimeout: v.optional(whole(0, 2 ** 31 - 1)),
  writeTimeout: v.optional(whole(1, 2 ** 31 - 1)),
  ...common,
})

const NAMES = ['sqlite'] as const
export type BackendName = (typeof NAMES)[number]

function sqliteMemory(input: unknown): Memory {
  const options = parseOptions(sqlite as unknown as ObjectSchema<SqliteOptions>, input)
  const settings = { ...options, clock: options.clock ?? Date.now, newId: options.newId ?? (() => v7()) }
  const capabilities: Capabilities = {
    users: true,
    conversations: true,
    messages: true,
    sessions: true,
    memories: true,
    documents: true,
    textSearch: options.enableFts !== false,
    vectorSearch: false,
    atomicUnit: true,
    positions: 'counter',
    durability: options.databasePath === ':memory:' ? 'none' : (options.durability ?? 'power'),
  }
  return makeMemory({
    capabilities,
    tenancy: options.tenancy ?? 'optional',
    clock: settings.clock,
    load: async () => {
      const { SqliteBackend } = await import('./backends/sqlite/backend.js')
      return new SqliteBackend(settings, capabilities)
    },
  })
}

/** `sqlite:./memory.db`, `file:./memory.db`, `sqlite::memory:` or a name. */
export function sqlitePath(url: string): string | null {
  return /^(?:sqlite|file):(?:\/\/)?(.*)$/s.exec(url)?.[1] ?? null
}

/**
 * Makes a memory over one backend, by its name and options or by a URL such as `sqlite:./memory.db`. Nothing is opened
 * before `connect()` or the first call.
 *
 * @throws ConfigurationError for an unknown name, URL or option, with the nearest known one.
 */
export function createBackend(name: 'sqlite', options: SqliteOptions): Memory
export function createBackend(url: string, options?: Partial<SqliteOptions>): Memory
export function createBackend(nameOrUrl: string, options: Partial<SqliteOptions> = {}): Memory {
  if (typeof nameOrUrl !== 'string') throw new ConfigurationError('the backend must be given by a name or a URL')
  if (nameOrUrl === 'sqlite') return sqliteMemory(options)
  const path = sqlitePath(nameOrUrl)
  if (path === '') throw new ConfigurationError('name a file or :memory: after `sqlite:`, such as sqlite:./memory.db')
  if (path !== null) return sqliteMemory({ ...options, databasePath: path })
  const scheme = /^[\w+.-]+(?=:|$)/.exec(nameOrUrl)?.[0] ?? ''
  throw new ConfigurationError(
    `backend "${scheme}" is not known${suggestion(scheme, NAMES)}; known are ${NAMES.join(', ')}`,
  )
}

/** The names that `createBackend` knows. */
export const listBackends = (): readonly BackendName[] => NAMES
