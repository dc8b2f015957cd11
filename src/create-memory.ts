import { type Prepared, prepare, vectorSettings } from './backend.js'
import { ComposedBackend } from './composed/backend.js'
import { CacheMember } from './composed/cache-member.js'
import { ReadCache } from './composed/read-cache.js'
import { SemanticMember } from './composed/semantic-member.js'
import type { Backend } from './contract/backend.js'
import type { MemberEntry, MemoryOptions, ReadCacheOptions } from './contract/composition.js'
import type { Memory } from './contract/memory.js'
import { type Entry, entryOf, knownOf } from './entries.js'
import { ConfigurationError } from './errors.js'
import { makeMemory } from './memory.js'
import { suggestion } from './model/parse.js'
import { findKind } from './registry.js'
import { guarded } from './telemetry/logger.js'

const OWN = ['primary', 'movingTo', 'semantic', 'cache', 'settle', 'settleDeadline', 'reads']
const ROLES = ['primary', 'semantic', 'cache'] as const
type Role = (typeof ROLES)[number]

/** How vectors are made is said once for a memory, wherever it is said. */
const EMBEDDING = [
  'embeddingFunction',
  'embeddingModel',
  'embeddingDimensions',
  'distanceMetric',
  'embeddingTimeout',
  'embeddingBatchSize',
  'embeddingApiKey',
  'embeddingBaseUrl',
  'embeddingCache',
  'onEmbedding',
]

/** Milliseconds that one call of the cache may take: who waits longer is faster without it. */
const CACHE = { callTimeout: 500, connectTimeout: 1000 }
const MAX_SEARCH_TTL = 300

interface Settings {
  readonly settle: 'background' | 'await' | 'off'
  readonly deadline: number
  readonly window: number
  readonly searches: boolean
  /** Milliseconds. */
  readonly ttl: number
}

function whole(value: unknown, name: string, fallback: number, least: number, most: number): number {
  if (value === undefined) return fallback
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    throw new ConfigurationError(`option ${name}: must be a whole number from ${least} to ${most}`)
  return value as number
}

function settingsOf({ settle = 'background', settleDeadline, reads = {} }: MemoryOptions): Settings {
  if (!['background', 'await', 'off'].includes(settle))
    throw new ConfigurationError('option settle: must be background, await or off')
  const known = ['window', 'searches', 'ttl']
  const wrong = typeof reads === 'object' && reads !== null ? Object.keys(reads).find((n) => !known.includes(n)) : ''
  if (wrong !== undefined)
    throw new ConfigurationError(`option reads${wrong && `.${wrong}`}: is not known${suggestion(wrong, known)}`)
  const { window, searches = true, ttl } = reads as ReadCacheOptions
  if (typeof searches !== 'boolean') throw new ConfigurationError('option reads.searches: must be true or false')
  return {
    settle,
    deadline: whole(settleDeadline, 'settleDeadline', 10_000, 1, 2 ** 31 - 1),
    window: whole(window, 'reads.window', 50, 0, 1000),
    searches,
    ttl: whole(ttl, 'reads.ttl', 300, 1, 1800) * 1000,
  }
}

/** The backends by their roles. */
function entriesOf(options: MemoryOptions): ReadonlyMap<Role, Entry> {
  const entries = new Map<Role, Entry>()
  for (const role of ROLES) if (options[role] !== undefined) entries.set(role, entryOf(options[role], `option ${role}`))
  if (!entries.has('primary'))
    throw new ConfigurationError("option primary: is required, such as primary: 'sqlite:./memory.db'")
  return entries
}

/** What the members say of vectors, beside what is shared. */
function embeddingOf(entries: ReadonlyMap<Role, Entry>): Record<string, unknown> {
  const said: Record<string, unknown> = {}
  for (const role of ['primary', 'semantic'] as const)
    for (const [name, value] of Object.entries(entries.get(role)?.own ?? {})) {
      if (!EMBEDDING.includes(name)) continue
      if (Object.hasOwn(said, name) && said[name] !== value)
        throw new ConfigurationError(
          `option ${name}: the primary and the semantic store are of one space, name it once`,
        )
      said[name] = value
    }
  return said
}

const withoutEmbedding = (options: object): object =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !EMBEDDING.includes(name)))

function checkShared(shared: object, entries: ReadonlyMap<Role, Entry>): void {
  const all = [...entries.values()]
  const known = [...new Set([...OWN, ...all.flatMap((entry) => entry.known)])]
  for (const [name, value] of Object.entries(shared))
    if (!known.includes(name) && !all.some((entry) => entry.knows(name, value)))
      throw new ConfigurationError(`option ${name}: is not known to any of these backends${suggestion(name, known)}`)
}

/** What each role needs of its backend. */
function checkRoles(entries: ReadonlyMap<Role, Entry>): void {
  const kindOf = (role: Role) => {
    const entry = entries.get(role)
    return entry && findKind(entry.backend)
  }
  const [primary, semantic, cache] = [kindOf('primary'), kindOf('semantic'), kindOf('cache')]
  if (semantic && !semantic.kind.index)
    throw new ConfigurationError(`option semantic: ${semantic.name} finds nothing by meaning; use qdrant or chromadb`)
  if (cache && !cache.kind.cachePlace)
    throw new ConfigurationError(`option cache: ${cache.name} is no cache; use redis`)
  if ((semantic || cache) && !primary?.kind.leads)
    throw new ConfigurationError(
      `option primary: nothing can follow ${primary?.name}; use sqlite or postgresql, or ${primary?.name} alone`,
    )
}

/** The members with their options checked, and what the memory as a whole was told. */
function prepareAll(options: MemoryOptions, recorded: boolean) {
  if (typeof options !== 'object' || options === null) throw new ConfigurationError('options must be an object')
  const entries = entriesOf(options)
  checkRoles(entries)
  const {
    primary: _p,
    movingTo: _m,
    semantic: _s,
    cache: _c,
    settle: _e,
    settleDeadline: _d,
    reads: _r,
    ...shared
  } = options
  checkShared(shared, entries)
  const embedding = embeddingOf(entries)
  const members = new Map<Role, Prepared>()
  for (const [role, entry] of entries) {
    const given = knownOf(shared, entry)
    // The store of vectors itself makes none: it is told of a space by the primary.
    const told = role === 'semantic' && recorded ? { embeddingDimensions: 1 } : {}
    const all =
      role === 'cache'
        ? { ...CACHE, ...withoutEmbedding(given), ...entry.own }
        : { ...told, ...given, ...embedding, ...entry.own }
    members.set(role, prepare(entry.backend, all))
  }
  return { entries, members, settings: settingsOf(options) }
}

/**
 * Makes one memory of several backends: a primary that has the truth, a semantic store that finds by meaning, and a cache.
 * Everything that is written goes to the primary in one transaction; the others follow it, and are told again until they
 * have it. Nothing is opened before `connect()` or the first call.
 *
 * @throws ConfigurationError for an unknown name, URL or option, with the nearest known one, and for a backend in a role
 * that it cannot play.
 */
export const createMemory = (options: MemoryOptions): Memory => composeMemory(options, { recorded: false })

/** The same memory on the store that it is moved to. */
const elsewhere = ({ movingTo, ...options }: MemoryOptions & { readonly movingTo: MemberEntry }): MemoryOptions => ({
  ...options,
  primary: movingTo,
})

/** @param recorded Whether the primary has a space of vectors on record, so that none need be named. */
export function composeMemory(options: MemoryOptions, { recorded }: { readonly recorded: boolean }): Memory {
  const first = composed(options, recorded)
  const { clock = Date.now, tenancy = 'optional', tokenizer } = first.primary.options
  const { capabilities } = first
  const { telemetry } = first.primary
  const { movingTo } = options
  const second = movingTo === undefined ? null : composed(elsewhere({ ...options, movingTo }), recorded)
  const load = async (): Promise<Backend> => {
    if (!second) return first.load({})
    const { MovingBackend } = await import('./moving/backend.js')
    // Each is opened as it is, whether it has been moved or not.
    const more = { loads: true }
    return new MovingBackend({ capabilities, first: () => first.load(more), second: () => second.load(more) })
  }
  return makeMemory({ capabilities, tokenizer, tenancy, clock, telemetry, load })
}

function composed(options: MemoryOptions, recorded: boolean) {
  const { entries, members, settings } = prepareAll(options, recorded)
  const primary = members.get('primary') as Prepared
  const { clock = Date.now } = primary.options
  const semantic = members.has('semantic') ? semanticOf(entries, members, clock) : null
  const cache = members.has('cache') ? cacheOf(entries, members, settings, clock) : null
  const capabilities = {
    ...primary.capabilities,
    vectorSearch: primary.capabilities.vectorSearch || semantic !== null,
    rateLimits: primary.capabilities.rateLimits || cache !== null,
  }
  const load = async (more: { readonly loads?: boolean }): Promise<Backend> => {
    let composed: ComposedBackend | null = null
    const wrote = () => composed?.wrote()
    const leader = await primary.load({ wrote, ...(semantic && { semantic }), ...more })
    const logger = primary.options.logger && guarded(primary.options.logger)
    composed = new ComposedBackend({ primary: leader, semantic, cache, logger, vectorSettings, ...settings })
    return composed
  }
  return { primary, capabilities, load }
}

function semanticOf(
  entries: ReadonlyMap<Role, Entry>,
  members: ReadonlyMap<Role, Prepared>,
  clock: () => number,
): SemanticMember {
  const { options } = members.get('semantic') as Prepared
  const { index } = findKind((entries.get('semantic') as Entry).backend).kind
  if (!index) throw new ConfigurationError('option semantic: finds nothing by meaning')
  const { callTimeout = 10_000 } = options as { callTimeout?: number }
  return new SemanticMember({
    place: index.place(options),
    callTimeout,
    clock,
    make: (generation) => index.make(options, generation),
  })
}

function cacheOf(
  entries: ReadonlyMap<Role, Entry>,
  members: ReadonlyMap<Role, Prepared>,
  { window, searches, ttl }: Settings,
  clock: () => number,
) {
  const { options, load } = members.get('cache') as Prepared
  const { telemetry } = members.get('primary') as Prepared
  const { cachePlace } = findKind((entries.get('cache') as Entry).backend).kind
  const member = new CacheMember(() => load(), options.logger && guarded(options.logger))
  const searchTtl = Math.min(ttl, MAX_SEARCH_TTL * 1000)
  const reads =
    window > 0 || searches ? new ReadCache({ member, clock, ttl, searchTtl, counters: telemetry ?? undefined }) : null
  return { member, reads, place: cachePlace?.(options) ?? '' }
}
