import type {
  Carried,
  ReadOptions,
  TransferBatch,
  TransferRange,
  TransferScope,
  TransferSide,
  TransferSource,
} from '../../contract/transfer.js'
import { StorageError } from '../../errors.js'
import type { RecordKind } from '../../model/records.js'
import type { RedisContext } from './context.js'
import { listedConversation, listedMemory, listedSession } from './listings.js'
import { beyond, FIRST, idOfDated, idOfRanked, LAST } from './order.js'
import { readConversation, readMemory, readMessage, readSession, readUser } from './records.js'
import type { Fields } from './transaction.js'

export const REDIS_KINDS: readonly RecordKind[] = ['user', 'conversation', 'message', 'session', 'memory']

export interface RedisEnd {
  readonly place: string
  tenants(): AsyncIterable<string>
  context(tenantId: string): RedisContext
}

/** Members of listings, or of messages, that are read at a time. */
const PAGE = 500

/** A record where a listing names it, or why what is stored is none. */
type Found = { readonly carried: Carried; readonly bytes: number } | null

/** How the records of a kind are listed and read. */
interface Listing {
  key(context: RedisContext): string
  record(context: RedisContext, member: string): string
  read(fields: Fields, tenantId: string, member: string): Carried | null
}

const carried = (kind: RecordKind, record: object | null): Carried | null =>
  record && ({ kind, record, vector: null } as Carried)

const LISTINGS: { readonly [K in Exclude<RecordKind, 'message' | 'document'>]: Listing } = {
  user: {
    key: ({ keys }) => keys.users,
    record: ({ keys }, member) => keys.user(member),
    read: (fields, tenantId) => carried('user', readUser(fields, tenantId)),
  },
  conversation: {
    key: ({ keys }) => keys.conversations(),
    record: ({ keys }, member) => keys.conversation(idOfDated(member)),
    read(fields, tenantId, member) {
      const found = readConversation(fields, tenantId)
      return found && listedConversation(found).member === member ? carried('conversation', found) : null
    },
  },
  session: {
    key: ({ keys }) => keys.sessions(),
    record: ({ keys }, member) => keys.session(idOfDated(member)),
    read(fields, tenantId, member) {
      const found = readSession(fields, tenantId)
      return found && listedSession(found).member === member ? carried('session', found) : null
    },
  },
  memory: {
    key: ({ keys }) => keys.memories(),
    record: ({ keys }, member) => keys.memory(idOfRanked(member)),
    read(fields, tenantId, member) {
      const found = readMemory(fields, tenantId)
      return found && listedMemory(found).member === member ? carried('memory', found) : null
    },
  },
}

/** Where a reading stands: a member of the listing, and for messages one of the conversation. */
interface Cursor {
  readonly listed: string | null
  readonly message: string | null
}

const START: Cursor = { listed: null, message: null }

/** Reads a store by its listings: nothing is looked for key by key, and nothing is changed. */
export class RedisSource implements TransferSource {
  constructor(readonly end: RedisEnd) {}

  async describe(): Promise<TransferSide> {
    const { place } = this.end
    return { backend: 'redis', place, schema: null, kinds: REDIS_KINDS, positions: 'counter', space: null }
  }

  /** Numbers of records and messages: a change that adds and removes nothing is not seen. */
  async fingerprint(scope: TransferScope): Promise<string> {
    const ranges = await this.ranges(scope)
    return ranges.map(({ kind, to, records }) => `${kind} ${to} ${records}`).join('; ')
  }

  async ranges({ kinds, tenantId }: TransferScope): Promise<readonly TransferRange[]> {
    const ranges: TransferRange[] = []
    const tenants: string[] = []
    if (tenantId !== undefined) tenants.push(tenantId)
    else for await (const tenant of this.end.tenants()) tenants.push(tenant)
    tenants.sort()
    for (const kind of kinds)
      for (const tenant of tenants) {
        const records = await this.#count(kind, this.end.context(tenant))
        if (records > 0) ranges.push({ kind, from: null, to: JSON.stringify([tenant]), records })
      }
    return ranges
  }

  async #count(kind: RecordKind, context: RedisContext): Promise<number> {
    const { client, keys } = context
    if (kind === 'document') return 0
    if (kind !== 'message') return client.call((c) => c.zcard(LISTINGS[kind].key(context)))
    let total = 0
    for await (const members of pages(context, keys.conversations(), null)) {
      const counts = await client.call((c) =>
        Promise.all(members.map((member) => c.zcard(keys.messages(idOfDated(member))))),
      )
      total += counts.reduce((sum, n) => sum + n, 0)
    }
    return total
  }

  async *read(range: TransferRange, { after, limits }: ReadOptions): AsyncGenerator<TransferBatch> {
    const context = this.end.context((JSON.parse(range.to ?? '[""]') as [string])[0])
    const from = after === null ? START : (JSON.parse(after) as Cursor)
    const found = range.kind === 'message' ? messagesOf(context, from) : recordsOf(context, range.kind, from)
    let records: Carried[] = []
    let bytes = 0
    let cursor = from
    for await (const [at, one] of found) {
      cursor = at
      if (!one) continue
      records.push(one.carried)
      bytes += one.bytes
      if (records.length < limits.records && bytes < limits.bytes) continue
      yield { records, bytes, cursor: JSON.stringify(cursor) }
      records = []
      bytes = 0
    }
    if (records.length > 0) yield { records, bytes, cursor: JSON.stringify(cursor) }
  }

  async close(): Promise<void> {}
}

/** Every member of a listing behind one. */
async function* pages({ client }: RedisContext, key: string, after: string | null): AsyncGenerator<string[]> {
  for (let at = after; ; ) {
    const min = at === null ? FIRST : beyond(at)
    const members = await client.call((c) => c.zrangebylex(key, min, LAST, 'LIMIT', 0, PAGE))
    if (members.length > 0) yield members
    if (members.length < PAGE) return
    at = members.at(-1) as string
  }
}

function readable(kind: RecordKind, tenantId: string, id: string, read: () => Carried | null): Carried | null {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return { kind, record: { tenantId, id }, vector: null, fault: 'cannot be read' } as unknown as Carried
  }
}

async function* recordsOf(
  context: RedisContext,
  kind: RecordKind,
  { listed }: Cursor,
): AsyncGenerator<[Cursor, Found]> {
  if (kind === 'message' || kind === 'document') return
  const { key, record, read } = LISTINGS[kind]
  const { runner, tenantId } = context
  for await (const members of pages(context, key(context), listed)) {
    const all = await runner.read((tx) => tx.manyFields(members.map((member) => record(context, member))))
    for (const [i, member] of members.entries()) {
      const fields = all[i] as Fields
      const one = readable(kind, tenantId, member, () => read(fields, tenantId, member))
      yield [{ listed: member, message: null }, one && { carried: one, bytes: fields.d?.length ?? 0 }]
    }
  }
}

async function* messagesOf(context: RedisContext, from: Cursor): AsyncGenerator<[Cursor, Found]> {
  const { keys, runner, tenantId } = context
  const { read } = LISTINGS.conversation
  let resumed = from.listed
  for await (const members of pages(context, keys.conversations(), null)) {
    // Those before the one that the cursor stands in are through.
    const left =
      resumed === null
        ? members
        : members.filter((member) => Buffer.compare(bytesOf(member), bytesOf(resumed as string)) >= 0)
    const all = await runner.read((tx) => tx.manyFields(left.map((member) => keys.conversation(idOfDated(member)))))
    for (const [i, member] of left.entries()) {
      const fields = all[i] as Fields
      // An entry may have outlived its conversation.
      if (!readable('conversation', tenantId, member, () => read(fields, tenantId, member))) continue
      const conversationId = idOfDated(member)
      const after = member === from.listed ? from.message : null
      for await (const texts of pages(context, keys.messages(conversationId), after))
        for (const text of texts) {
          const one = readable('message', tenantId, text.slice(0, 16), () => ({
            kind: 'message',
            record: readMessage(text, tenantId, conversationId),
            vector: null,
            holder: fields.u ?? undefined,
          }))
          yield [{ listed: member, message: text }, one && { carried: one, bytes: text.length }]
        }
      resumed = null
    }
  }
}

const bytesOf = (text: string): Buffer => Buffer.from(text)
