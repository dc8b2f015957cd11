import * as v from 'valibot'
import { ValidationError } from '../errors.js'
import type { Limits } from '../options.js'
import type { ConversationPatch, MemoryPatch, MessagePatch, SessionPatch, UserPatch } from './inputs.js'
import { copyJson, copyJsonObject, type JsonBounds } from './json.js'
import { fraction, id, instant, type ObjectSchema, parse, textOf, whole } from './parse.js'
import { type JsonObject, type JsonValue, MEMORY_TYPES, MESSAGE_STATUSES, MESSAGE_TYPES, ROLES } from './records.js'

const times = { createdAt: v.optional(instant), updatedAt: v.optional(instant) }
const nullable = <T>(schema: v.GenericSchema<unknown, T>) => v.optional(v.nullable(schema))
const json = v.optional(v.unknown())
/** Checked where the store's dimensions are known. */
const vector = v.optional(v.unknown()) as unknown as v.OptionalSchema<v.GenericSchema<ArrayLike<number>>, undefined>
const list = <T>(item: v.GenericSchema<unknown, T>, max: number) =>
  v.optional(
    v.pipe(
      v.array(item),
      v.check((a) => a.length <= max, `must have at most ${max} entries`),
    ),
  )

function schemas(limits: Limits) {
  const label = textOf(limits.label)
  const content = textOf(limits.content)
  const user = {
    name: nullable(label),
    preferences: json,
    profile: json,
    metadata: json,
    lastActiveAt: nullable(instant),
  }
  const conversation = {
    title: nullable(label),
    summary: nullable(textOf(limits.summary)),
    tags: list(id, limits.tags),
    metadata: json,
    language: nullable(v.string()),
    expiresAt: nullable(instant),
  }
  const message = {
    type: v.optional(v.picklist(MESSAGE_TYPES)),
    content: v.optional(content),
    parts: json,
    name: nullable(label),
    toolCallId: nullable(label),
    status: v.optional(v.picklist(MESSAGE_STATUSES)),
    metadata: json,
  }
  const session = { conversationId: nullable(id), state: json, metadata: json, expiresAt: nullable(instant) }
  const memory = {
    conversationId: nullable(id),
    type: v.optional(v.picklist(MEMORY_TYPES)),
    source: nullable(label),
    category: nullable(label),
    tags: list(id, limits.tags),
    confidence: v.optional(fraction),
    importance: v.optional(fraction),
    relatedIds: list(id, limits.tags),
    metadata: json,
    expiresAt: nullable(instant),
  }
  return {
    newUser: v.strictObject({ id: v.optional(id), ...user, ...times }),
    userPatch: v.strictObject(user),
    newConversation: v.strictObject({ id: v.optional(id), userId: id, ...conversation, ...times }),
    conversationPatch: v.strictObject(conversation),
    newMessage: v.strictObject({
      id: v.optional(id),
      parentId: nullable(id),
      role: v.picklist(ROLES),
      vector,
      ...message,
      ...times,
    }),
    messagePatch: v.strictObject(message),
    newSession: v.strictObject({
      id: v.optional(id),
      userId: id,
      startedAt: v.optional(instant),
      ...session,
      ...times,
    }),
    sessionPatch: v.strictObject(session),
    newMemory: v.strictObject({
      id: v.optional(id),
      userId: id,
      content,
      accessCount: v.optional(whole(0)),
      lastAccessedAt: nullable(instant),
      vector,
      ...memory,
      ...times,
    }),
    memoryPatch: v.strictObject({ content: v.optional(content), ...memory }),
    newDocument: v.strictObject({
      namespace: id,
      id,
      content,
      vector,
      metadata: json,
      expiresAt: nullable(instant),
      ...times,
    }),
  }
}
type Schemas = ReturnType<typeof schemas>
type Output<K extends keyof Schemas> = v.InferOutput<Schemas[K]>
/** A checked input: JSON fields are copies that nobody else holds. */
type Checked<K extends keyof Schemas, J extends string> = Omit<Output<K>, J | 'parts'> & {
  readonly [F in J]?: JsonObject
}

export type CheckedUser = Checked<'newUser', 'preferences' | 'profile' | 'metadata'>
export type CheckedConversation = Checked<'newConversation', 'metadata'>
export type CheckedMessage = Checked<'newMessage', 'metadata'> & { readonly parts?: JsonValue[] | null }
export type CheckedSession = Checked<'newSession', 'state' | 'metadata'>
export type CheckedMemory = Checked<'newMemory', 'metadata'>
export type CheckedDocument = Checked<'newDocument', 'metadata'>

const blank = (text: string | undefined): boolean => text === undefined || text.trim() === ''
const blankProblem = 'must not be blank'

/** The door: every input of a memory is checked and copied here, before anything is written anywhere. */
export class Checks {
  readonly #schemas: Schemas
  readonly #bounds: JsonBounds
  constructor(readonly limits: Limits) {
    this.#schemas = schemas(limits)
    this.#bounds = { bytes: limits.json, depth: limits.jsonDepth }
  }

  newUser = (input: unknown): CheckedUser =>
    this.#json(this.#parse('newUser', input, ''), '', 'preferences', 'profile', 'metadata')
  userPatch = (input: unknown): UserPatch =>
    this.#json(this.#parse('userPatch', input, ''), '', 'preferences', 'profile', 'metadata') as UserPatch

  newConversation = (input: unknown): CheckedConversation =>
    this.#json(this.#parse('newConversation', input, ''), '', 'metadata')
  conversationPatch = (input: unknown): ConversationPatch =>
    this.#json(this.#parse('conversationPatch', input, ''), '', 'metadata') as ConversationPatch

  newMessages(input: unknown): CheckedMessage[] {
    return this.#batch(input, 'messages').map((item, i) => {
      const path = `messages[${i}]`
      const checked = this.#parts(this.#json(this.#parse('newMessage', item, path), path, 'metadata'), path)
      if (blank(checked.content) && !checked.parts?.length)
        throw new ValidationError(`${path}.content`, `${blankProblem} where there are no parts`)
      return checked as CheckedMessage
    })
  }
  messagePatch = (input: unknown): MessagePatch =>
    this.#parts(this.#json(this.#parse('messagePatch', input, ''), '', 'metadata'), '') as MessagePatch

  newSession = (input: unknown): CheckedSession =>
    this.#json(this.#parse('newSession', input, ''), '', 'state', 'metadata')
  sessionPatch = (input: unknown): SessionPatch =>
    this.#json(this.#parse('sessionPatch', input, ''), '', 'state', 'metadata') as SessionPatch

  newMemory(input: unknown, path = ''): CheckedMemory {
    const checked = this.#json(this.#parse('newMemory', input, path), path, 'metadata')
    if (blank(checked.content)) throw new ValidationError(path ? `${path}.content` : 'content', blankProblem)
    return checked
  }
  newMemories = (input: unknown): CheckedMemory[] =>
    this.#batch(input, 'memories', true).map((item, i) => this.newMemory(item, `memories[${i}]`))
  memoryPatch(input: unknown): MemoryPatch {
    const checked = this.#json(this.#parse('memoryPatch', input, ''), '', 'metadata')
    if (checked.content !== undefined && blank(checked.content)) throw new ValidationError('content', blankProblem)
    return checked as MemoryPatch
  }

  newDocuments(input: unknown): CheckedDocument[] {
    return this.#batch(input, 'documents').map((item, i) => {
      const path = `documents[${i}]`
      const checked = this.#json(this.#parse('newDocument', item, path), path, 'metadata')
      if (blank(checked.content)) throw new ValidationError(`${path}.content`, blankProblem)
      return checked
    })
  }

  #parse<K extends keyof Schemas>(name: K, input: unknown, path: string): Output<K> {
    return parse(this.#schemas[name] as unknown as ObjectSchema<Output<K>>, input, path)
  }

  #batch(input: unknown, field: string, arrayOnly = false): readonly unknown[] {
    if (!Array.isArray(input)) {
      if (arrayOnly) throw new ValidationError(field, 'must be an array')
      return [input]
    }
    if (input.length > this.limits.batch)
      throw new ValidationError(field, `must be at most ${this.limits.batch} in one batch`)
    return input
  }

  #json<T extends object, F extends keyof T & string>(
    checked: T,
    path: string,
    ...fields: F[]
  ): Omit<T, F> & { [K in F]?: JsonObject } {
    const target = checked as Record<string, unknown>
    for (const field of fields) {
      if (target[field] === undefined) delete target[field]
      else target[field] = copyJsonObject(target[field], path ? `${path}.${field}` : field, this.#bounds)
    }
    return checked as Omit<T, F> & { [K in F]?: JsonObject }
  }

  #parts<T extends { parts?: unknown }>(checked: T, path: string): Omit<T, 'parts'> & { parts?: JsonValue[] | null } {
    const { parts } = checked
    if (parts === undefined || parts === null) return checked as T & { parts?: null }
    const field = path ? `${path}.parts` : 'parts'
    if (!Array.isArray(parts)) throw new ValidationError(field, 'must be an array or null')
    checked.parts = copyJson(parts, field, this.#bounds)
    return checked as T & { parts: JsonValue[] }
  }
}
