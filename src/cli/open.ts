import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createBackend, prepare } from '../backend.js'
import type { Backend } from '../contract/backend.js'
import type { MemoryOptions } from '../contract/composition.js'
import type { Memory } from '../contract/memory.js'
import type { PostgresqlOptions } from '../contract/options.js'
import { composeMemory } from '../create-memory.js'
import { ConfigurationError, ConnectionError, UnsupportedError } from '../errors.js'
import { findKind, sqlitePath } from '../registry.js'
import { type CliIo, line } from './io.js'
import { type Look, postgresqlUpkeep, sqliteUpkeep, type Upkeep } from './upkeep.js'

/** What every command that opens a memory understands. */
export interface StoreOptions {
  readonly url?: string
  /** Who follows it. */
  readonly semantic?: string
  readonly cache?: string
  readonly language?: string
  /** Who makes vectors of questions and texts. */
  readonly embeddings?: string
}

/** The database that a command works on. */
export interface Store {
  readonly url: string
  /** Of an SQLite file; null for any other database. */
  readonly path: string | null
  /** For people and reports: never the URL itself, which may hold a password. */
  readonly name: string
  /** Null where the URL is of no engine that is known. */
  readonly upkeep: Upkeep | null
  /** Of the backend, beside those of the command. */
  readonly options: Partial<PostgresqlOptions>
}

/** Whether two names mean one file: by what the file system says where both exist, else by their paths. */
export function sameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }))
  if (one && other) return one.dev === other.dev && one.ino === other.ino
  return resolve(a) === resolve(b)
}

/** SQLite keeps these beside the file. */
export const filesOf = (store: Store): string[] =>
  store.path === null ? [] : ['', '-wal', '-shm', '-journal'].map((end) => `${store.path}${end}`)

const DEFAULT_PATH = './memory.db'
const DEFAULT_LANGUAGE = 'english'
const HAS_SCHEME = /^[a-z][a-z0-9+.-]+:/i

export const isPostgresUrl = (url: string): boolean => /^postgres(ql)?:\/\//.test(url)

/** `--url`, with the same words in every command. */
export const urlOption = (command: Command): Command =>
  command.option(
    '--url <url>',
    'the memory: sqlite:./memory.db, a path or postgres://… (default: BRUNO_MEMORY_URL, DATABASE_URL, ./memory.db)',
  )

/** `--url` and `--language`. */
export const storeOptions = (command: Command): Command =>
  urlOption(command).option(
    '--language <name>',
    'the language that the text is indexed in (default: what the memory says, else english)',
  )

/** `--embeddings`, or the environment's, for commands that need vectors. */
export const embeddingsOption = (command: Command): Command =>
  command.option(
    '--embeddings <name>',
    'the model of the vectors: offline, text-embedding-3-small, … (default: BRUNO_MEMORY_EMBEDDINGS)',
  )

export const embeddingsOf = (options: { readonly embeddings?: string }, io: CliIo): string | undefined =>
  options.embeddings || io.env.BRUNO_MEMORY_EMBEDDINGS || undefined

/** `--semantic` and `--cache`, or the environment's. */
export const followersOptions = (command: Command): Command =>
  command
    .option(
      '--semantic <url>',
      'the store that finds by meaning: qdrant://… or chroma:… (default: BRUNO_MEMORY_SEMANTIC_URL)',
    )
    .option('--cache <url>', 'the cache: redis://… (default: BRUNO_MEMORY_CACHE_URL)')

/** Who follows a memory, by the options or the environment. */
export function followersOf(options: StoreOptions, io: CliIo): Pick<MemoryOptions, 'semantic' | 'cache'> {
  const semantic = options.semantic || io.env.BRUNO_MEMORY_SEMANTIC_URL
  const cache = options.cache || io.env.BRUNO_MEMORY_CACHE_URL
  return { ...(semantic && { semantic }), ...(cache && { cache }) }
}

/** Which database is meant: the option, the environment, or ./memory.db, which is then said on standard error. */
export function findStore(options: StoreOptions, io: CliIo): Store {
  const given = options.url || io.env.BRUNO_MEMORY_URL || io.env.DATABASE_URL
  if (!given) line(io.stderr, `using ${DEFAULT_PATH} (name another with --url or BRUNO_MEMORY_URL)`)
  const text = given || DEFAULT_PATH
  const url = HAS_SCHEME.test(text) ? text : `sqlite:${text}`
  const path = sqlitePath(url) || null
  if (isPostgresUrl(url))
    return {
      url,
      path,
      name: 'the PostgreSQL database',
      upkeep: postgresqlUpkeep(url),
      // Commands ask one thing after the other: a server's connections are for its application.
      options: { poolSize: 2 },
    }
  const upkeep = path === null ? null : sqliteUpkeep(path)
  return { url, path, name: path ?? `${url.slice(0, url.indexOf(':'))} database`, upkeep, options: {} }
}

/** What is in the database; of one that is not known, opening it says what it is. */
export const lookInto = async ({ upkeep }: Store): Promise<Look> =>
  upkeep ? upkeep.look() : { exists: true, language: null, secured: false, space: null }

/** Whether the database holds a memory. */
export const hasMemory = async (store: Store): Promise<boolean> => (await lookInto(store)).exists

/** The language that was asked for, or that the store was indexed with; `none` without full-text search. */
export async function languageOf(store: Store, options: StoreOptions): Promise<string> {
  return options.language ?? (await lookInto(store)).language ?? DEFAULT_LANGUAGE
}

/** The upkeep of a database that holds a memory. */
export async function upkeepOf(store: Store, work: string): Promise<Upkeep> {
  const { upkeep, name } = store
  if (!upkeep) throw new UnsupportedError(work, `${name}: there is no ${work} for it`)
  if (!(await upkeep.look()).exists) throw new ConnectionError(`there is no memory ${upkeep.place}: check --url`)
  return upkeep
}

/** The options of the backend, by what was asked for and what the database says of itself. */
export function optionsFor(store: Store, options: StoreOptions, found: Look, create: boolean): object {
  const language = options.language ?? found.language ?? DEFAULT_LANGUAGE
  const wanted = {
    ...store.options,
    ...(found.secured && { rowLevelSecurity: true }),
    ...(language === 'none' ? { enableFts: false } : { language }),
    ...(options.embeddings && {
      embeddingFunction: options.embeddings,
      // As `reembed` made them: the model alone does not say.
      ...(found.space && { distanceMetric: found.space.metric, embeddingDimensions: found.space.dimensions }),
    }),
    migrate: create ? 'auto' : 'check',
  }
  // A store without a schema or a text index has no options about them.
  const { kind } = findKind(store.url)
  const known = Object.entries(wanted).filter(([name]) => kind.options.includes(name))
  return Object.fromEntries(known)
}

/** Opens the backend by itself, for a look: it makes no vectors, and nobody follows it that did not before. */
export async function lookAtPrimary<T>(
  store: Store,
  options: StoreOptions,
  look: (backend: Backend) => Promise<T>,
): Promise<T> {
  const found = await existing(store)
  const { embeddings: _, ...plain } = options
  const prepared = prepare(store.url, optionsFor(store, plain, found, false))
  const opened = async (more?: Parameters<typeof prepared.load>[0]) => {
    const backend = await prepared.load(more)
    await backend.open()
    return backend
  }
  let backend = await opened()
  // A server that compares no vectors looks for none; those that a semantic store was told of are there all the same.
  if (found.space !== null && backend.followed?.space === null) {
    await backend.close()
    backend = await opened({ semantic: { nearest: async () => [] } })
  }
  try {
    return await look(backend)
  } finally {
    await backend.close()
  }
}

/** @throws ConnectionError where there is no memory. */
async function existing(store: Store): Promise<Look> {
  const found = await lookInto(store)
  if (found.exists) return found
  throw new ConnectionError(`there is no memory ${store.upkeep?.place}: import something into it first, or check --url`)
}

/** Opens the memory. Only with `create` is a missing one made, and an older schema brought up to date. */
export async function openMemory(
  store: Store,
  options: StoreOptions,
  { create = false, together = {} }: { readonly create?: boolean; readonly together?: Partial<MemoryOptions> } = {},
): Promise<Memory> {
  if (store.path === ':memory:')
    throw new ConfigurationError('name a file: a database in memory ends with this command')
  const found = await (create ? lookInto(store) : existing(store))
  const given = optionsFor(store, options, found, create)
  const { semantic, cache } = together
  const memory =
    semantic || cache
      ? // Vectors that are there are told without a model.
        composeMemory({ primary: { backend: store.url, ...given }, ...together }, { recorded: found.space !== null })
      : createBackend(store.url, given)
  try {
    await memory.connect()
    return memory
  } catch (error) {
    await memory.close().catch(() => {})
    throw error
  }
}

/** Opens the memory for one piece of work, and closes it whatever happens. */
export async function withMemory<T>(
  store: Store,
  options: StoreOptions & { readonly create?: boolean; readonly together?: Partial<MemoryOptions> },
  work: (memory: Memory) => Promise<T>,
): Promise<T> {
  const memory = await openMemory(store, options, {
    create: options.create === true,
    ...(options.together && { together: options.together }),
  })
  try {
    return await work(memory)
  } finally {
    await memory.close()
  }
}

/** Reads a whole number from an option, or says which option is wrong. */
export function wholeNumber(value: string, option: string, min: number, max: number): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < min || number > max)
    throw new ConfigurationError(`${option} must be a whole number from ${min} to ${max}`)
  return number
}
