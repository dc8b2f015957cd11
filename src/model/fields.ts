import type { Conversation, Document, MemoryEntry, Message, RecordKind, Session, User } from './records.js'

/** The record of each kind. */
export interface RecordOf {
  readonly user: User
  readonly conversation: Conversation
  readonly message: Message
  readonly session: Session
  readonly memory: MemoryEntry
  readonly document: Document
}

/** How a field's value is written: `flag` looks only at whether it is null. */
export type FieldType = 'text' | 'number' | 'instant' | 'json' | 'flag'

export interface Field<N extends string = string> {
  readonly name: N
  readonly type: FieldType
  readonly nullable: boolean
  /** Added after archives and digests were in use: where it is null, neither has it. */
  readonly later: boolean
}

type Spec = `${'text' | 'number' | 'instant' | 'json'}${'' | '?' | '?+'}`

function fields<R>(specs: { readonly [N in keyof R & string]: Spec }): readonly Field<keyof R & string>[] {
  return Object.entries(specs).map(([name, spec]) => ({
    name: name as keyof R & string,
    type: (spec as string).replace(/[?+]+$/, '') as FieldType,
    nullable: (spec as string).includes('?'),
    later: (spec as string).endsWith('+'),
  }))
}

const stamps = { createdAt: 'instant', updatedAt: 'instant', version: 'number' } as const
const own = { tenantId: 'text', id: 'text' } as const

/** Every field of every kind, in the order in which digests and archives write them. A change is a new archive version. */
export const RECORD_FIELDS: { readonly [K in RecordKind]: readonly Field<keyof RecordOf[K] & string>[] } = {
  user: fields<User>({
    ...own,
    name: 'text?',
    preferences: 'json',
    profile: 'json',
    metadata: 'json',
    lastActiveAt: 'instant?',
    ...stamps,
  }),
  conversation: fields<Conversation>({
    ...own,
    userId: 'text',
    title: 'text?',
    summary: 'text?',
    tags: 'json',
    metadata: 'json',
    language: 'text?+',
    messageCount: 'number',
    lastPosition: 'number',
    expiresAt: 'instant?',
    ...stamps,
  }),
  message: fields<Message>({
    tenantId: 'text',
    conversationId: 'text',
    id: 'text',
    position: 'number',
    parentId: 'text?',
    role: 'text',
    type: 'text',
    content: 'text',
    parts: 'json?',
    name: 'text?',
    toolCallId: 'text?',
    status: 'text',
    metadata: 'json',
    ...stamps,
  }),
  session: fields<Session>({
    ...own,
    userId: 'text',
    conversationId: 'text?',
    state: 'json',
    metadata: 'json',
    startedAt: 'instant',
    lastActivityAt: 'instant',
    endedAt: 'instant?',
    expiresAt: 'instant?',
    ...stamps,
  }),
  memory: fields<MemoryEntry>({
    ...own,
    userId: 'text',
    conversationId: 'text?',
    type: 'text',
    content: 'text',
    source: 'text?',
    category: 'text?',
    tags: 'json',
    confidence: 'number',
    importance: 'number',
    accessCount: 'number',
    relatedIds: 'json',
    metadata: 'json',
    lastAccessedAt: 'instant?',
    expiresAt: 'instant?',
    ...stamps,
  }),
  document: fields<Document>({
    tenantId: 'text',
    namespace: 'text',
    id: 'text',
    content: 'text',
    metadata: 'json',
    expiresAt: 'instant?',
    ...stamps,
  }),
}

/** What an import through the public API gives anew, so that two stores with the same content differ in it. */
const GIVEN_ANEW = ['tenantId', 'position', 'messageCount', 'lastPosition', 'updatedAt', 'version', 'lastActivityAt']

/** The fields that are the same in every store that holds the same content; whether a session has ended counts, not when. */
export const CONTENT_FIELDS = Object.fromEntries(
  Object.entries(RECORD_FIELDS).map(([kind, all]) => [
    kind,
    (all as readonly Field[])
      .filter((field) => !GIVEN_ANEW.includes(field.name))
      .map((field) => (field.name === 'endedAt' ? { ...field, type: 'flag' as const } : field)),
  ]),
) as unknown as typeof RECORD_FIELDS
