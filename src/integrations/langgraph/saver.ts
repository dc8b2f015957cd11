import { isDeepStrictEqual } from 'node:util'
import type { RunnableConfig } from '@langchain/core/runnables'
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  compareWritesSortKeys,
  maxChannelVersion,
  type PendingWrite,
  type SerializerProtocol,
  TASKS,
  WRITES_IDX_MAP,
  writesSortKey,
} from '@langchain/langgraph-checkpoint'
import type { TenantMemory } from '../../contract/memory.js'
import { ConflictError, ValidationError } from '../../errors.js'
import type { Conversation, JsonValue, Message } from '../../model/records.js'
import { configOf, conversationOf, ownerOf, type Place, placeOf } from './places.js'

export interface MemoryCheckpointSaverOptions {
  /** A memory in one tenant, of a store with atomic units. */
  readonly memory: TenantMemory
  readonly serializer?: SerializerProtocol | undefined
}

type Packed = readonly [type: string, base64: string]
type StoredWrite = readonly [taskPath: string, taskId: string, index: number, channel: string, value: Packed]

const PAGE = 50
const ATTEMPTS = 5

/**
 * Keeps the checkpoints of LangGraph's threads: those of a thread's namespace are the messages of a conversation, which has
 * no words that searches could find, and the writes behind a checkpoint are one message of another.
 */
export class MemoryCheckpointSaver extends BaseCheckpointSaver {
  readonly #memory: TenantMemory

  constructor({ memory, serializer }: MemoryCheckpointSaverOptions) {
    super(serializer)
    this.#memory = memory
  }

  async #pack(value: unknown): Promise<Packed> {
    const [type, bytes] = await this.serde.dumpsTyped(value)
    return [type, Buffer.from(bytes).toString('base64')]
  }

  #unpack<T>([type, base64]: Packed): Promise<T> {
    return this.serde.loadsTyped(type, Buffer.from(base64, 'base64'))
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    if (config.configurable?.thread_id === undefined) return undefined
    const place = placeOf(config)
    const { messages } = this.#memory
    const conversation = conversationOf(place, 'checkpoints')
    const message =
      place.checkpoint === undefined
        ? (await messages.list(conversation, { last: 1 })).items[0]
        : await messages.get(conversation, place.checkpoint)
    return message ? this.#tuple(place, message) : undefined
  }

  async #tuple(place: Place, { id, parts }: Message): Promise<CheckpointTuple> {
    const [packed, metadata, parent] = (parts ?? []) as unknown as [Packed, Packed, string | null]
    const at = { ...place, checkpoint: id }
    const checkpoint = await this.#unpack<Checkpoint>(packed)
    // Earlier formats kept what is to be sent with the checkpoint before.
    if (checkpoint.v < 4 && parent !== null) await this.#addSends(checkpoint, { ...place, checkpoint: parent })
    return {
      config: configOf(at),
      checkpoint,
      metadata: await this.#unpack<CheckpointMetadata>(metadata),
      pendingWrites: await this.#writes(at),
      ...(parent !== null && { parentConfig: configOf({ ...place, checkpoint: parent }) }),
    }
  }

  async #addSends(checkpoint: Checkpoint, parent: Place): Promise<void> {
    const writes = await this.#writes(parent)
    const versions = Object.values(checkpoint.channel_versions)
    checkpoint.channel_values[TASKS] = writes.filter(([, channel]) => channel === TASKS).map(([, , value]) => value)
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined)
  }

  async #writes(place: Place): Promise<CheckpointPendingWrite[]> {
    const stored = await this.#memory.messages.get(conversationOf(place, 'writes'), place.checkpoint ?? '')
    const writes = (stored?.parts ?? []) as unknown as StoredWrite[]
    return Promise.all(
      writes.map(
        async ([, task, , channel, value]) => [task, channel, await this.#unpack(value)] as CheckpointPendingWrite,
      ),
    )
  }

  /** The newest first. Without a thread: those of all threads. */
  async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: wanted } = config.configurable ?? {}
    const { before, filter = {} } = options
    let left = options.limit ?? Number.POSITIVE_INFINITY
    const earlier: string | undefined = before?.configurable?.checkpoint_id
    for await (const place of this.#places(thread, namespace))
      for await (const message of this.#newestFirst(conversationOf(place, 'checkpoints'))) {
        if (left <= 0) return
        if (wanted !== undefined && message.id !== wanted) continue
        if (earlier !== undefined && message.id >= earlier) continue
        const tuple = await this.#tuple(place, message)
        const metadata = (tuple.metadata ?? {}) as Record<string, unknown>
        if (!Object.entries(filter).every(([key, value]) => isDeepStrictEqual(metadata[key], value))) continue
        left--
        yield tuple
      }
  }

  async *#places(thread: string | undefined, namespace: string | undefined): AsyncGenerator<Place> {
    const userId = thread === undefined ? undefined : ownerOf(thread)
    for await (const { metadata } of this.#memory.conversations.each({ userId })) {
      const kept = metadata.langgraph as { thread?: string; namespace?: string; what?: string } | undefined
      if (kept?.what !== 'checkpoints' || kept.thread === undefined || kept.namespace === undefined) continue
      if (namespace === undefined || namespace === kept.namespace)
        yield { thread: kept.thread, namespace: kept.namespace, checkpoint: undefined }
    }
  }

  async *#newestFirst(conversation: string): AsyncGenerator<Message> {
    const { messages } = this.#memory
    let page = await messages.list(conversation, { last: PAGE })
    for (;;) {
      yield* [...page.items].reverse()
      if (!page.hasMore || page.before === null) return
      page = await messages.list(conversation, { before: page.before, limit: PAGE })
    }
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const place = placeOf(config)
    const whole = { ...checkpoint, channel_values: await this.#values(place, checkpoint, newVersions) }
    const kept = await Promise.all([this.#pack(whole), this.#pack(metadata)])
    const parts = [...kept, place.checkpoint ?? null] as unknown as JsonValue[]
    await this.#unit(async (unit) => {
      const conversation = await ensured(unit, place, 'checkpoints')
      await unit.messages.upsert(conversation, [
        { id: checkpoint.id, role: 'system', type: 'action', content: '', parts },
      ])
    })
    return configOf({ ...place, checkpoint: checkpoint.id })
  }

  /** Values of the versions that are new, and of those that the checkpoint before had too. */
  async #values(place: Place, { channel_values, channel_versions }: Checkpoint, newVersions: ChannelVersions) {
    const others = Object.keys(channel_values).filter((channel) => !Object.hasOwn(newVersions, channel))
    if (others.length === 0) return channel_values
    const message =
      place.checkpoint === undefined
        ? null
        : await this.#memory.messages.get(conversationOf(place, 'checkpoints'), place.checkpoint)
    const before = message && (await this.#tuple(place, message)).checkpoint
    const isKept = (channel: string): boolean =>
      before !== null &&
      Object.hasOwn(before.channel_values, channel) &&
      before.channel_versions[channel] === channel_versions[channel]
    const gone = new Set(others.filter((channel) => !isKept(channel)))
    return Object.fromEntries(Object.entries(channel_values).filter(([channel]) => !gone.has(channel)))
  }

  /** Those of one task: what it wrote before stays, but for errors and interrupts, of which the last counts. */
  async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string, taskPath = ''): Promise<void> {
    const place = placeOf(config)
    const id = place.checkpoint
    if (id === undefined) throw new ValidationError('config.configurable.checkpoint_id', 'must be a string')
    const added = await Promise.all(
      writes.map(async ([channel, value], i): Promise<StoredWrite> => {
        return [taskPath, taskId, WRITES_IDX_MAP[channel] ?? i, channel, await this.#pack(value)]
      }),
    )
    await this.#unit(async (unit) => {
      const conversation = await ensured(unit, place, 'writes')
      // Whoever writes behind the same checkpoint waits for this row.
      await unit.conversations.update(conversation, {})
      const before = ((await unit.messages.get(conversation, id))?.parts ?? []) as unknown as StoredWrite[]
      const parts = merged(before, added) as unknown as JsonValue[]
      await unit.messages.upsert(conversation, [{ id, role: 'system', type: 'action', content: '', parts }])
    })
  }

  /** Of those who begin a thread at the same time one makes it; the others find it when they try again. */
  async #unit(work: (unit: Unit) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#memory.unitOfWork(work)
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === ATTEMPTS) throw error
      }
    }
  }

  async deleteThread(threadId: string): Promise<void> {
    const { users } = this.#memory
    if ((await users.get(ownerOf(threadId))) !== null) await users.delete(ownerOf(threadId))
  }
}

function merged(before: readonly StoredWrite[], added: readonly StoredWrite[]): StoredWrite[] {
  const all = new Map(before.map((write) => [JSON.stringify([write[1], write[2]]), write]))
  for (const write of added) {
    const key = JSON.stringify([write[1], write[2]])
    if (write[2] < 0 || !all.has(key)) all.set(key, write)
  }
  return [...all.values()].sort((a, b) =>
    compareWritesSortKeys(writesSortKey(a[0], a[1], a[2]), writesSortKey(b[0], b[1], b[2])),
  )
}

type Unit = Parameters<Parameters<TenantMemory['unitOfWork']>[0]>[0]

/** The conversation of a place, made where it is absent. */
async function ensured(unit: Unit, { thread, namespace }: Place, what: 'checkpoints' | 'writes'): Promise<string> {
  const id = conversationOf({ thread, namespace }, what)
  const there: Conversation | null = await unit.conversations.get(id)
  if (there) return id
  const userId = ownerOf(thread)
  if ((await unit.users.get(userId)) === null) await unit.users.create({ id: userId })
  await unit.conversations.create({ id, userId, metadata: { langgraph: { thread, namespace, what } } })
  return id
}
