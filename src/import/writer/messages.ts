import { ConflictError, NotFoundError, ValidationError } from '../../errors.js'
import type { ItemOf } from '../types.js'
import { messageSays } from './compare.js'
import type { OpenConversation } from './conversations.js'
import type { StoredMessage } from './stored-messages.js'
import { indexOf, ownField, type Target } from './target.js'

type MessageItem = ItemOf<'message'>
type Verb = 'append' | 'upsert'

/** Puts the messages of one conversation, in their order, where they are missing. */
export class ConversationWriter {
  constructor(
    readonly target: Target,
    readonly conversationId: string,
    readonly conversation: OpenConversation,
  ) {}

  async write(items: readonly MessageItem[]): Promise<void> {
    const missing = new Map<string, MessageItem>()
    const present: [MessageItem, StoredMessage][] = []
    const known = new Map<string, StoredMessage | MessageItem>()
    for (const item of items)
      try {
        if (!this.#isOwn(item)) continue
        const { id } = item.input
        // The same id again in this batch is held against what stands by then.
        const earlier = known.get(id)
        const stored = earlier ? asStored(earlier) : await this.#stored(id)
        known.set(id, stored ?? item)
        if (stored) present.push([item, stored])
        else missing.set(id, item)
      } catch (error) {
        this.target.refuseFor(item, error)
      }
    await this.#put('append', [...missing.values()])
    // After it, because only now is it known which parents were refused.
    const replacing: MessageItem[] = []
    for (const [item, stored] of present)
      try {
        if (await this.#differs(item, stored)) replacing.push(item)
      } catch (error) {
        this.target.refuseFor(item, error)
      }
    await this.#put('upsert', replacing)
  }

  #isOwn(item: MessageItem): boolean {
    if (item.userId === undefined || item.userId === this.conversation.userId) return true
    this.target.refuse(item, 'userId', 'is not the user of this conversation')
    return false
  }

  async #stored(id: string): Promise<StoredMessage | null> {
    const { reads } = this.target
    return reads && this.conversation.stored ? this.conversation.stored.find(reads.messages, id) : null
  }

  /** Whether the message is to replace the stored one; otherwise it is counted here. */
  async #differs(item: MessageItem, stored: StoredMessage): Promise<boolean> {
    const wanted = item.input.parentId ?? null
    const sameText = stored.says === messageSays(item.input)
    const sameParent = stored.parentId === wanted || (await this.#resolve(wanted)) === stored.parentId
    if (sameText && sameParent) {
      this.target.tally.count('message', 'unchanged')
      return false
    }
    if (this.target.options.overwrite) return true
    const field = sameText ? 'parentId' : 'message'
    this.target.conflict(item, field, 'differs from the stored message with this id (--overwrite replaces it)')
    return false
  }

  async #put(verb: Verb, items: readonly MessageItem[]): Promise<void> {
    let rest = this.target.options.dryRun ? this.#valid(items) : [...items]
    while (rest.length > 0) {
      try {
        const inputs = rest.map((item) => item.input)
        await this.target.write((unit) => unit.messages[verb](this.conversationId, inputs))
        this.target.tally.count('message', verb === 'append' ? 'imported' : 'overwritten', rest.length)
        return
      } catch (error) {
        const remaining = await this.#mended(rest, error)
        // Nothing could be taken out or changed: the same call would fail for ever.
        if (!remaining) throw error
        rest = remaining
      }
    }
  }

  /** What is left to write once what the error is about has been refused, found or linked elsewhere; null: nothing was. */
  async #mended(rest: MessageItem[], error: unknown): Promise<MessageItem[] | null> {
    if (error instanceof NotFoundError) {
      for (const item of rest) this.target.refuse(item, 'conversationId', 'the conversation is gone or has expired')
      return []
    }
    if (error instanceof ConflictError) return this.#withoutStored(rest)
    if (!(error instanceof ValidationError)) return null
    if (ownField(error.field) === 'parentId') {
      const linked = await this.#linked(rest)
      if (linked) return linked
    }
    const valid = this.#valid(rest)
    if (valid.length < rest.length) return valid
    // The store is stricter than the limits that are known here.
    const index = indexOf(error)
    const item = index === null ? undefined : rest[index]
    if (!item) return null
    this.#refuse(item, error)
    return rest.filter((other) => other !== item)
  }

  #refuse(item: MessageItem, error: ValidationError): void {
    this.conversation.refused.set(item.input.id, item.input.parentId ?? null)
    this.target.refuseFor(item, error)
  }

  #valid(items: readonly MessageItem[]): MessageItem[] {
    return items.filter((item) => {
      const problem = this.target.problem(item)
      if (problem) this.#refuse(item, problem)
      return !problem
    })
  }

  /** An id that this import brought before, or that another process has just written. */
  async #withoutStored(rest: readonly MessageItem[]): Promise<MessageItem[] | null> {
    const missing: MessageItem[] = []
    const replacing: MessageItem[] = []
    for (const item of rest) {
      const stored = await this.target.reads?.messages.get(this.conversationId, item.input.id)
      if (!stored) missing.push(item)
      else if (await this.#differs(item, { says: messageSays(stored), parentId: stored.parentId })) replacing.push(item)
    }
    if (missing.length === rest.length) return null
    await this.#put('upsert', replacing)
    return missing
  }

  /** The same messages with parents that are there, or null where all of them are. */
  async #linked(rest: readonly MessageItem[]): Promise<MessageItem[] | null> {
    const earlier = new Set<string>()
    let changed = false
    const linked: MessageItem[] = []
    for (const item of rest) {
      const wanted = item.input.parentId ?? null
      const parentId = wanted === null || earlier.has(wanted) ? wanted : await this.#resolve(wanted, earlier)
      earlier.add(item.input.id)
      if (parentId !== wanted) {
        changed = true
        if (wanted === null || !this.conversation.refused.has(wanted)) this.#adjusted(item)
      }
      linked.push(parentId === wanted ? item : { ...item, input: { ...item.input, parentId } })
    }
    return changed ? linked : null
  }

  #adjusted(item: MessageItem): void {
    const reason = 'names no earlier message of the conversation; imported without it'
    this.target.tally.find({ outcome: 'adjusted', kind: 'message', field: 'parentId', reason, place: item.place })
  }

  /** The nearest message that is there, going up over refused ones; null where there is none. */
  async #resolve(parentId: string | null, earlier?: ReadonlySet<string>): Promise<string | null> {
    const seen = new Set<string>()
    for (let id = parentId; id !== null && !seen.has(id); id = this.conversation.refused.get(id) ?? null) {
      seen.add(id)
      if (earlier?.has(id)) return id
      // An id that is no id at all cannot be asked for; the door refuses the message for it.
      if (typeof id !== 'string' || id === '') return id
      if (await this.target.reads?.messages.get(this.conversationId, id).catch(() => null)) return id
    }
    return null
  }
}

const asStored = (known: MessageItem | StoredMessage): StoredMessage =>
  'says' in known ? known : { says: messageSays(known.input), parentId: known.input.parentId ?? null }
