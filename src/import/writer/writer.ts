import type { TenantMemory } from '../../contract/memory.js'
import { type Finding, Tally } from '../tally.js'
import { type ImportItem, type ItemOf, isLeftOut, type RecordItem } from '../types.js'
import { Conversations } from './conversations.js'
import { ConversationWriter } from './messages.js'
import { writeDocuments, writeMemories, writeSession, writeUser } from './records.js'
import { type ApplyOptions, Target } from './target.js'

export interface WriterOptions extends ApplyOptions {
  /** The memory of a tenant (null: the one the import is for); null in a dry run where there is no store yet. */
  readonly memory: (tenant: string | null) => TenantMemory | null
  readonly onFinding: (finding: Finding) => void
  /** Aborted: nothing more is begun after the batch under way. */
  readonly signal?: AbortSignal | undefined
}

const BATCH_RECORDS = 1000
const BATCH_BYTES = 8 * 1024 * 1024

/**
 * Takes records as they are read and writes them in units of about a thousand. A unit holds whole records only, and
 * what is counted is counted after its commit: a kill loses no more than the unit under way, and the same import run
 * again finds what is there and goes on.
 */
export class ImportWriter {
  readonly tally = new Tally()
  readonly #conversations = new Map<string | null, Conversations>()
  #batch: RecordItem[] = []
  #bytes = 0

  constructor(readonly options: WriterOptions) {}

  async add(items: readonly ImportItem[]): Promise<void> {
    for (const item of items) {
      // One conversation may take many batches.
      if (this.options.signal?.aborted) return
      if (item.kind === null) {
        this.tally.passOver(item.what, item.rows)
        continue
      }
      if (isLeftOut(item)) {
        const one = new Tally()
        one.leaveOut(item)
        this.tally.merge(one, this.options.onFinding)
        continue
      }
      if (this.#batch[0] && this.#batch[0].tenant !== item.tenant) await this.flush()
      this.#batch.push(item)
      this.#bytes += item.size
      if (this.#batch.length >= BATCH_RECORDS || this.#bytes >= BATCH_BYTES) await this.flush()
    }
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    this.#bytes = 0
    const [first] = batch
    if (!first) return
    const { options } = this
    const memory = options.memory(first.tenant)
    let tally = new Tally()
    if (options.dryRun || !memory) await this.#apply(Target.dry(memory, tally, options), first.tenant, batch)
    else
      await memory.unitOfWork(async (unit) => {
        tally = new Tally()
        await this.#apply(Target.inUnit(unit, tally, options), first.tenant, batch)
      })
    this.tally.merge(tally, options.onFinding)
  }

  async #apply(target: Target, tenant: string | null, batch: readonly RecordItem[]): Promise<void> {
    const conversations = this.#conversations.get(tenant) ?? new Conversations()
    this.#conversations.set(tenant, conversations)
    const of = <K extends RecordItem['kind']>(kind: K) => batch.filter((item) => item.kind === kind) as ItemOf<K>[]
    for (const item of of('user')) await writeUser(target, item)
    for (const item of of('conversation')) await conversations.apply(target, item)
    await applyMessages(target, conversations, of('message'))
    for (const item of of('session')) await writeSession(target, item)
    const memories = of('memory')
    if (memories.length > 0) await writeMemories(target, memories)
    const documents = of('document')
    if (documents.length > 0) await writeDocuments(target, documents)
  }
}

/** By conversation, in the order of the file: lines of several conversations may be mixed. */
async function applyMessages(
  target: Target,
  conversations: Conversations,
  items: readonly ItemOf<'message'>[],
): Promise<void> {
  const groups = new Map<string, ItemOf<'message'>[]>()
  for (const item of items) {
    const group = groups.get(item.conversationId)
    if (group) group.push(item)
    else groups.set(item.conversationId, [item])
  }
  for (const [id, group] of groups) {
    const conversation = await conversations.open(target, id)
    if (conversation) await new ConversationWriter(target, id, conversation).write(group)
    else for (const item of group) target.refuse(item, 'conversationId', 'its conversation was not imported')
  }
}
