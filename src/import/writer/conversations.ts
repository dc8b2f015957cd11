import { LRUCache } from 'lru-cache'
import type { Conversation } from '../../model/records.js'
import type { ItemOf } from '../types.js'
import { difference, patchOf } from './compare.js'
import { StoredMessages } from './stored-messages.js'
import type { Target } from './target.js'

/** What is known of a conversation while its messages arrive. */
export interface OpenConversation {
  readonly userId: string
  /** Null: it was made by this import, and everything in it came from there. */
  readonly stored: StoredMessages | null
  /** Messages that were refused, and what they answered: replies to them are linked there. */
  readonly refused: Map<string, string | null>
}

const CLOSED = 'closed'
const KEPT = 2000

/** The conversations of one tenant that messages may go to. */
export class Conversations {
  readonly #states = new LRUCache<string, OpenConversation | typeof CLOSED>({ max: KEPT })

  /** Makes the conversation, or holds it against the one that is there. */
  async apply(target: Target, item: ItemOf<'conversation'>): Promise<void> {
    const { input } = item
    try {
      const stored = (await target.reads?.conversations.get(input.id)) ?? null
      if (stored) await this.#exists(target, item, stored)
      else if (!(item.repeat && this.#states.has(input.id))) await this.#create(target, item)
    } catch (error) {
      this.#states.set(input.id, CLOSED)
      target.refuseFor(item, error)
    }
  }

  /** The conversation that a message goes to, or null where it cannot be imported. */
  async open(target: Target, id: string): Promise<OpenConversation | null> {
    const known = this.#states.get(id)
    if (known) return known === CLOSED ? null : known
    const stored = (await target.reads?.conversations.get(id)) ?? null
    if (!stored) return null
    return this.#set(stored.id, {
      userId: stored.userId,
      stored: new StoredMessages(id, stored.messageCount),
      refused: new Map(),
    })
  }

  #set(id: string, state: OpenConversation): OpenConversation {
    this.#states.set(id, state)
    return state
  }

  async #create(target: Target, item: ItemOf<'conversation'>): Promise<void> {
    const { input } = item
    const problem = target.options.dryRun ? target.problem(item) : null
    if (problem) throw problem
    await target.write((unit) => unit.conversations.create(input))
    target.tally.count('conversation', 'imported')
    this.#set(input.id, { userId: input.userId, stored: null, refused: new Map() })
  }

  async #exists(target: Target, item: ItemOf<'conversation'>, stored: Conversation): Promise<void> {
    const { input } = item
    if (stored.userId !== input.userId) {
      this.#states.set(input.id, CLOSED)
      return target.conflict(item, 'userId', 'the conversation exists and belongs to another user')
    }
    if (!this.#states.has(input.id)) {
      const messages = new StoredMessages(input.id, stored.messageCount)
      this.#set(input.id, { userId: stored.userId, stored: messages, refused: new Map() })
    }
    const field = difference('conversation', stored, input)
    // A title that the file gives after the first message completes what this file began.
    const completes = item.repeat === true && field === 'title' && stored.title === null
    if (field !== null && (completes || target.options.overwrite))
      await target.write((unit) => unit.conversations.update(input.id, patchOf('conversation', input)))
    if (item.repeat) return
    if (field === null) target.tally.count('conversation', 'unchanged')
    else if (target.options.overwrite) target.tally.count('conversation', 'overwritten')
    else target.conflict(item, field, 'differs from the stored conversation (--overwrite replaces it)')
  }
}
