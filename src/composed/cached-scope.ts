import type { BackendScope } from '../contract/backend.js'
import type { Page } from '../contract/page.js'
import type { MessageListOptions } from '../contract/repositories.js'
import type { Hit, SearchQuery } from '../contract/search.js'
import { StorageError } from '../errors.js'
import { canonicalJson } from '../model/canonical.js'
import type { Message } from '../model/records.js'
import { isDegraded, markDegraded } from '../repository/degraded.js'
import { messageCursors } from '../repository/message-options.js'
import { fromStored, storedValues } from '../repository/stored-record.js'
import type { Loaded, ReadCache } from './read-cache.js'

const FOREVER = Number.POSITIVE_INFINITY

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A JSON error quotes the text: it must not become the cause.
    throw new StorageError('a cached value cannot be read')
  }
}

const until = (instant: Date | null | undefined): number => instant?.getTime() ?? FOREVER

/** How many of the newest messages are asked for, and nothing else; null for any other question. */
function newest(options: MessageListOptions | undefined): number | null {
  if (options === undefined) return 50
  const names = Object.keys(options).filter((name) => options[name as keyof MessageListOptions] !== undefined)
  if (names.length === 0) return 50
  const { last } = options
  return names.length === 1 && typeof last === 'number' && Number.isInteger(last) && last > 0 ? last : null
}

/** A window as it is kept: whether there is more in front of it, and its messages. */
type Kept = readonly [more: boolean, messages: readonly unknown[]]

export interface CachedParts {
  readonly cache: ReadCache
  readonly tenantId: string
  /** Messages of a window, 0 for none. */
  readonly window: number
  /** Whether answers to searches are kept; vectors that change behind the cache's back are not. */
  readonly searches: (query: SearchQuery) => boolean
  /** Of what is searched beside the primary: what another one answered is not its. */
  readonly generation: () => number
}

/** The same repositories, whose windows and searches are answered from a cache where it has them. */
export function cachedScope(scope: BackendScope, parts: CachedParts): BackendScope {
  const { messages, search } = scope
  return {
    ...scope,
    ...(messages && { messages: { ...messages, list: cachedList(scope, messages.list.bind(messages), parts) } }),
    ...(search && { search: cachedSearch(scope, search.bind(scope), parts) }),
  }
}

type List = NonNullable<BackendScope['messages']>['list']

type Listed = Pick<BackendScope, 'conversations'> & { readonly messages?: { readonly list: List } }

/** The end of a conversation as it is kept. */
export async function loadWindow(scope: Listed, conversationId: string, window: number): Promise<Loaded> {
  const [page, conversation] = await Promise.all([
    scope.messages?.list(conversationId, { last: window }),
    scope.conversations?.get(conversationId),
  ])
  const rows = (page?.items ?? []).map((message) => storedValues('message', message, ['conversationId']))
  return {
    text: JSON.stringify([page?.hasMore === true, rows] satisfies Kept),
    until: until(conversation?.expiresAt),
  }
}

function cachedList(scope: BackendScope, list: List, { cache, tenantId, window }: CachedParts): List {
  return async (conversationId, options) => {
    const n = newest(options)
    const asks = n !== null && n <= window && typeof conversationId === 'string'
    const kept = asks
      ? cache.window(tenantId, conversationId, () =>
          loadWindow({ ...scope, messages: { list } }, conversationId, window),
        )
      : null
    return kept === null ? list(conversationId, options) : pageOf(await kept, tenantId, conversationId, n as number)
  }
}

function pageOf(text: string, tenantId: string, conversationId: string, n: number): Page<Message> {
  const [more, rows] = parsed(text) as Kept
  if (!Array.isArray(rows)) throw new StorageError('a cached value cannot be read')
  const wanted = rows.length > n ? rows.slice(-n) : rows
  const items = wanted.map((row) => fromStored('message', row, { tenantId, conversationId }))
  const { encode } = messageCursors(tenantId, conversationId)
  const [first] = items
  const last = items.at(-1)
  return {
    items,
    before: first ? encode(first.position) : null,
    after: last ? encode(last.position) : null,
    hasMore: more || rows.length > n,
  }
}

type Search = NonNullable<BackendScope['search']>

interface KeptHit extends Omit<Hit, 'record'> {
  readonly values: readonly unknown[]
}

interface KeptHits {
  readonly degraded: boolean
  readonly hits: readonly KeptHit[]
}

function cachedSearch(
  scope: BackendScope,
  search: Search,
  { cache, tenantId, searches, generation }: CachedParts,
): Search {
  const load = async (query: SearchQuery): Promise<Loaded> => {
    const hits = await search(query)
    const kept = hits.map(
      ({ record, ...hit }): KeptHit => ({
        ...hit,
        values: storedValues(hit.kind, record as never, []),
      }),
    )
    const degraded = isDegraded(hits)
    // What was found without a part of the memory is not kept.
    const ends = degraded ? 0 : await endOf(scope, hits, query)
    return { text: JSON.stringify({ degraded, hits: kept } satisfies KeptHits), until: ends }
  }
  return async (query) => {
    const question = searches(query) ? questionOf(query, generation()) : null
    const kept = question === null ? null : cache.search(tenantId, question, () => load(query))
    return kept === null ? search(query) : hitsOf(await kept, tenantId)
  }
}

/** A question as text; null where it holds what is no data, which the search itself will refuse. */
function questionOf({ vector, from, to, ...rest }: SearchQuery, generation: number): string | null {
  try {
    const instants = [from, to].map((instant) => instant?.getTime() ?? null)
    return canonicalJson([generation, rest, vector ? Array.from(vector) : null, instants] as never)
  } catch {
    return null
  }
}

/** When the first of some hits expires; a message does so with its conversation. */
async function endOf(scope: BackendScope, hits: readonly Hit[], query: SearchQuery): Promise<number> {
  if (query.includeExpired) return FOREVER
  const ids = new Set(
    hits.flatMap(({ kind, record }) => (kind === 'message' ? [(record as Message).conversationId] : [])),
  )
  const conversations = await Promise.all([...ids].map((id) => scope.conversations?.get(id)))
  const records = hits.map(({ record }) => until((record as { expiresAt?: Date | null }).expiresAt))
  return Math.min(FOREVER, ...records, ...conversations.map((each) => until(each?.expiresAt)))
}

function hitsOf(text: string, tenantId: string): Hit[] {
  const { degraded, hits: kept } = (parsed(text) ?? {}) as Partial<KeptHits>
  if (!Array.isArray(kept)) throw new StorageError('a cached value cannot be read')
  const hits = (kept as readonly KeptHit[]).map(({ values, ...hit }) => ({
    ...hit,
    record: fromStored(hit.kind, values, { tenantId }),
  })) as Hit[]
  return degraded ? markDegraded(hits) : hits
}
