import { ValidationError } from '../errors.js'
import type { ConversationPatch, MemoryPatch, MessagePatch, SessionPatch, UserPatch } from '../model/inputs.js'
import { mergeJson } from '../model/json.js'
import type { Conversation, JsonObject, MemoryEntry, Message, Session, User } from '../model/records.js'

type Changing = User | Conversation | Session | MemoryEntry | Message
type Patch = UserPatch | ConversationPatch | SessionPatch | MemoryPatch | MessagePatch

/** Objects of which a patch names only what it changes. */
const MERGED = ['preferences', 'profile', 'state', 'metadata'] as const
type Objects = Partial<Record<(typeof MERGED)[number], JsonObject>>

/** A record as a checked patch of its kind makes it at this time: its objects merged one level deep, the next version. */
export function changedRecord<R extends Changing>(stored: R, patch: Patch, at: Date): R {
  const [before, changes] = [stored as Objects, patch as Objects]
  const merged: Objects = {}
  for (const name of MERGED)
    if (Object.hasOwn(changes, name)) merged[name] = mergeJson(before[name] ?? {}, changes[name] ?? {})
  return { ...stored, ...patch, ...merged, updatedAt: at, version: stored.version + 1 }
}

/** @throws ValidationError where nothing would be left to say. */
export function changedMessage(stored: Message, patch: MessagePatch, at: Date): Message {
  const changed = changedRecord(stored, patch, at)
  if (changed.content.trim() === '' && !changed.parts?.length)
    throw new ValidationError('content', 'must not be blank where there are no parts')
  return changed
}
