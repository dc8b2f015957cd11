import type {
  Carried,
  Refusal,
  TransferScope,
  TransferSide,
  TransferSink,
  WriteOutcome,
} from '../../contract/transfer.js'
import type { Conversation, MemoryEntry, Message, Session, User } from '../../model/records.js'
import { newLife, type RedisContext } from './context.js'
import { aliveConversation, writeConversation } from './conversations.js'
import { positionField } from './keys.js'
import { putMemory } from './memories.js'
import { addMessages } from './message-append.js'
import { behind, beyond, idOfDated, LAST, POSITION_WIDTH, positionKey } from './order.js'
import { endOf, lifeOf } from './records.js'
import { putSession } from './sessions.js'
import type { Transaction } from './transaction.js'
import { type RedisEnd, RedisSource } from './transfer-source.js'
import { ensureUser, putUser } from './users.js'

/** Records of one script. */
const TOGETHER = 500
const PAGE = 500
/** Scripts that are on their way. */
const AT_ONCE = 4

/** What became of each record of a part, by its place in the batch. */
interface Tally {
  written: number
  present: number
  readonly refused: Refusal[]
}

interface Placed {
  readonly carried: Carried
  readonly index: number
}

/** Writes records as they are, each tenant's in one script: all of a part is there, or nothing. */
export class RedisSink implements TransferSink {
  constructor(readonly end: RedisEnd) {}

  describe(): Promise<TransferSide> {
    return new RedisSource(this.end).describe()
  }

  async count(scope: TransferScope): Promise<number> {
    const ranges = await new RedisSource(this.end).ranges(scope)
    return ranges.reduce((sum, { records }) => sum + records, 0)
  }

  async open(): Promise<void> {}

  async write(records: readonly Carried[]): Promise<WriteOutcome> {
    const total: Tally = { written: 0, present: 0, refused: [] }
    // While the server runs one script, the next one is made. Neighbours may meet in a conversation: one is run again then.
    for (const together of atOnce(partsOf(records)))
      for (const tally of await Promise.all(together.map((part) => this.#part(part)))) {
        total.written += tally.written
        total.present += tally.present
        total.refused.push(...tally.refused)
      }
    return total
  }

  async #part(part: readonly Placed[]): Promise<Tally> {
    const context = this.end.context((part[0] as Placed).carried.record.tenantId)
    return context.runner.write(async (tx) => {
      // The work may be run again: what it counted before counts no more.
      const counted: Tally = { written: 0, present: 0, refused: [] }
      await writePart(tx, context, part, counted)
      return counted
    })
  }

  /** Counters are never below what is there: conversations that were made for their messages began with none. */
  async finish(): Promise<void> {
    for await (const tenantId of this.end.tenants()) await recount(this.end.context(tenantId))
  }

  async close(): Promise<void> {}
}

/** Neighbours of one kind and tenant, some at a time. */
function partsOf(records: readonly Carried[]): Placed[][] {
  const parts: Placed[][] = []
  for (const [index, carried] of records.entries()) {
    const last = parts.at(-1)
    const first = last?.[0]?.carried
    const same = first && first.kind === carried.kind && first.record.tenantId === carried.record.tenantId
    if (last && same && last.length < TOGETHER) last.push({ carried, index })
    else parts.push([{ carried, index }])
  }
  return parts
}

/** Some parts at a time, of one kind: what others name is there before them. */
function atOnce(parts: readonly Placed[][]): Placed[][][] {
  const groups: Placed[][][] = []
  for (const part of parts) {
    const last = groups.at(-1)
    const kind = last?.[0]?.[0]?.carried.kind
    if (last && kind === part[0]?.carried.kind && last.length < AT_ONCE) last.push(part)
    else groups.push([part])
  }
  return groups
}

async function writePart(tx: Transaction, context: RedisContext, part: readonly Placed[], tally: Tally): Promise<void> {
  const kind = part[0]?.carried.kind
  if (kind === 'message') return writeMessages(tx, context, part, tally)
  if (kind === 'document') {
    for (const { index } of part) tally.refused.push({ index, reason: 'documents are not kept by Redis' })
    return
  }
  const { keys } = context
  const keyOf = (id: string): string =>
    kind === 'user'
      ? keys.user(id)
      : kind === 'conversation'
        ? keys.conversation(id)
        : kind === 'session'
          ? keys.session(id)
          : keys.memory(id)
  await tx.lockMany(part.map(({ carried }) => keyOf(carried.record.id)))
  for (const { carried } of part) {
    if ((await tx.lock(keyOf(carried.record.id))).d !== null) tally.present++
    else {
      await put(tx, context, carried)
      tally.written++
    }
  }
}

async function put(tx: Transaction, context: RedisContext, { kind, record }: Carried): Promise<void> {
  if (kind === 'user') return putUser(tx, context, record as User)
  const { userId, expiresAt } = record as Conversation | Session | MemoryEntry
  await ensureUser(tx, context, userId)
  const life = newLife(context, expiresAt)
  if (kind === 'conversation') writeConversation(tx, context, record as Conversation, life)
  else if (kind === 'session') putSession(tx, context, record as Session, life)
  else putMemory(tx, context, record as MemoryEntry, life)
}

async function writeMessages(
  tx: Transaction,
  context: RedisContext,
  part: readonly Placed[],
  tally: Tally,
): Promise<void> {
  const groups = new Map<string, Placed[]>()
  for (const placed of part) {
    const { conversationId } = placed.carried.record as Message
    const group = groups.get(conversationId)
    if (group) group.push(placed)
    else groups.set(conversationId, [placed])
  }
  const { keys } = context
  await tx.lockMany([...groups.keys()].map((id) => keys.conversation(id)))
  const looks = await Promise.all([...groups].map(([id, group]) => lookAt(context, id, group)))
  for (const [i, [conversationId, group]] of [...groups].entries()) {
    const fields = await tx.lock(keys.conversation(conversationId))
    if (fields.d === null) {
      for (const { index } of group) tally.refused.push({ index, reason: 'conversationId: names no conversation' })
      continue
    }
    const { ids, positions } = looks[i] as Look
    const added: Message[] = []
    for (const { carried, index } of group) {
      const message = carried.record as Message
      if (ids.has(message.id)) tally.present++
      else if (positions.has(message.position))
        tally.refused.push({ index, reason: 'position: is taken by another message of the conversation' })
      else {
        added.push(message)
        ids.add(message.id)
        positions.add(message.position)
      }
    }
    tally.written += added.length
    addMessages(tx, context, added)
    if (added.length > 0) tx.writes.expiries.set(keys.messages(conversationId), endOf(lifeOf(fields)))
  }
}

interface Look {
  readonly ids: Set<string>
  readonly positions: Set<number>
}

/** Which ids and positions of a part are taken. */
async function lookAt({ keys, client }: RedisContext, id: string, group: readonly Placed[]): Promise<Look> {
  const messages = group.map(({ carried }) => carried.record as Message)
  const positions = messages.map(({ position }) => position)
  const [low, high] = [Math.min(...positions), Math.max(...positions)]
  const [places, members] = await client.call((c) =>
    Promise.all([
      c.hmget(keys.conversation(id), ...messages.map((message) => positionField(message.id))),
      c.zrangebylex(keys.messages(id), `[${positionKey(low)}`, behind(positionKey(high)), 'LIMIT', 0, -1),
    ]),
  )
  return {
    ids: new Set(messages.filter((_, i) => places[i] !== null).map((message) => message.id)),
    positions: new Set(members.map((member) => Number(member.slice(0, POSITION_WIDTH)))),
  }
}

async function recount(context: RedisContext): Promise<void> {
  const { keys, client, runner } = context
  for (let min = '-'; ; ) {
    const members = await client.call((c) => c.zrangebylex(keys.conversations(), min, LAST, 'LIMIT', 0, PAGE))
    const counted = await client.call((c) =>
      Promise.all(
        members.map(async (member) => {
          const key = keys.messages(idOfDated(member))
          const [n, [last]] = await Promise.all([c.zcard(key), c.zrevrangebylex(key, LAST, '-', 'LIMIT', 0, 1)])
          return { id: idOfDated(member), n, last: Number(last?.slice(0, POSITION_WIDTH) ?? 0) }
        }),
      ),
    )
    const all = await runner.read((tx) => tx.manyFields(counted.map(({ id }) => keys.conversation(id))))
    for (const [i, { id, n, last }] of counted.entries())
      if (Number(all[i]?.n ?? n) < n || Number(all[i]?.p ?? last) < last) await raise(context, id, n, last)
    if (members.length < PAGE) return
    min = beyond(members.at(-1) as string)
  }
}

async function raise(context: RedisContext, id: string, n: number, last: number): Promise<void> {
  await context.runner.write(async (tx) => {
    const fields = await tx.lock(context.keys.conversation(id))
    const stored = aliveConversation(context, fields)
    if (!stored) return
    const messageCount = Math.max(stored.messageCount, n)
    const lastPosition = Math.max(stored.lastPosition, last)
    writeConversation(tx, context, { ...stored, messageCount, lastPosition }, lifeOf(fields))
  })
}
