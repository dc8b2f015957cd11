import { ADA, says } from './fixtures.js'
import { type BadCall, each, type Fields, single, type Untyped } from './validation-call.js'
import { BAD_DOCUMENT_ID_CALLS, BAD_ID_CALLS, BAD_OBJECT_CALLS } from './validation-ids.js'
import {
  BAD_CONTENT,
  BAD_COUNTS,
  BAD_DATES,
  BAD_FRACTIONS,
  BAD_ID_LISTS,
  BAD_IDS,
  BAD_JSON,
  BAD_LABELS,
  BAD_PARTS,
  BAD_REQUIRED_IDS,
  BAD_SUMMARIES,
  BAD_TAGS,
  enumOf,
} from './validation-values.js'

const unknown = (field: string): Fields => ({ [field]: [['an unknown field', 1]] })
/** Fields that only the memory itself writes. */
const OWN = { ...unknown('tenantId'), ...unknown('version'), ...unknown('revision'), ...unknown('searchText') }
const TIMES = { createdAt: BAD_DATES, updatedAt: BAD_DATES }

const USER = { name: BAD_LABELS, preferences: BAD_JSON, profile: BAD_JSON, metadata: BAD_JSON, lastActiveAt: BAD_DATES }
const CONVERSATION = {
  title: BAD_LABELS,
  summary: BAD_SUMMARIES,
  tags: BAD_TAGS,
  metadata: BAD_JSON,
  language: enumOf('german'),
  expiresAt: BAD_DATES,
}
const MESSAGE = {
  type: enumOf('text'),
  content: BAD_CONTENT,
  parts: BAD_PARTS,
  name: BAD_LABELS,
  toolCallId: [
    ['a NUL', 'a\0'],
    ['a number', 1],
  ] as const,
  status: enumOf('complete'),
  metadata: BAD_JSON,
}
const SESSION = { conversationId: BAD_IDS, state: BAD_JSON, metadata: BAD_JSON, expiresAt: BAD_DATES }
const MEMORY = {
  conversationId: BAD_IDS,
  type: enumOf('fact'),
  content: BAD_CONTENT,
  source: BAD_LABELS,
  category: BAD_LABELS,
  tags: BAD_TAGS,
  confidence: BAD_FRACTIONS,
  importance: BAD_FRACTIONS,
  relatedIds: BAD_ID_LISTS,
  metadata: BAD_JSON,
  expiresAt: BAD_DATES,
}
const NEW_MEMORY = { ...MEMORY, id: BAD_IDS, accessCount: BAD_COUNTS, lastAccessedAt: BAD_DATES, ...TIMES, ...OWN }
const DOCUMENT = {
  namespace: BAD_REQUIRED_IDS,
  id: BAD_REQUIRED_IDS,
  content: BAD_CONTENT,
  metadata: BAD_JSON,
  expiresAt: BAD_DATES,
  ...TIMES,
  ...OWN,
}

const inMessages = (index: number) => (field: string) => `messages[${index}].${field}`
const NEW_MESSAGE = {
  ...MESSAGE,
  id: BAD_IDS,
  parentId: BAD_IDS,
  role: enumOf('user'),
  ...TIMES,
  ...OWN,
  ...unknown('position'),
}
const VERSIONS: Fields = { version: [...BAD_COUNTS, ['a text', '1']] }
const OPERATIONS: Fields = { operationId: BAD_IDS }

/** By verb. The memory holds user `ada`, conversation `c`, message `m`, session `s`, memory `e`, and document `n`/`d` where it keeps documents. */
export const BAD_CALLS: Readonly<Record<string, readonly BadCall[]>> = {
  'users.create': [
    ...each({ id: BAD_IDS, ...USER, ...TIMES, ...OWN }, {}, (m, input) => m.users.create(input)),
    ...each(OPERATIONS, {}, (m, options) => m.users.create({ id: 'new' }, options)),
  ],
  'users.update': [
    ...each({ ...USER, ...unknown('id'), ...unknown('createdAt'), ...OWN }, {}, (m, patch) =>
      m.users.update(ADA, patch),
    ),
    ...each({ ...VERSIONS, ...OPERATIONS, ...unknown('verison') }, {}, (m, o) => m.users.update(ADA, { name: 'x' }, o)),
  ],
  'conversations.create': [
    ...each(
      { id: BAD_IDS, userId: BAD_REQUIRED_IDS, ...CONVERSATION, ...TIMES, ...OWN },
      { userId: 'new' },
      (m, input) => m.conversations.create(input),
    ),
    single('no user', 'userId', (m) => m.conversations.create({} as Untyped)),
    ...each({ ...unknown('messageCount'), ...unknown('lastPosition') }, { userId: 'new' }, (m, i) =>
      m.conversations.create(i),
    ),
  ],
  'conversations.update': each({ ...CONVERSATION, ...unknown('userId'), ...unknown('id'), ...OWN }, {}, (m, patch) =>
    m.conversations.update('c', patch),
  ),
  'messages.append, a batch': each(
    NEW_MESSAGE,
    says('good'),
    (m, input) => m.messages.append('c', [says('good'), input, says('good')]),
    inMessages(1),
  ),
  'messages.append, one message': [
    ...each(NEW_MESSAGE, says('good'), (m, input) => m.messages.append('c', input), inMessages(0)),
    single('no role', 'messages[0].role', (m) => m.messages.append('c', { content: 'x' } as Untyped)),
    single('no content', 'messages[0].content', (m) => m.messages.append('c', { role: 'user' })),
    single('null for a message', 'messages[1]', (m) => m.messages.append('c', [says('x'), null as Untyped])),
    single('a text for a message', 'messages[0]', (m) => m.messages.append('c', ['x' as Untyped])),
    single('too many', 'messages', (m) =>
      m.messages.append(
        'c',
        Array.from({ length: 6 }, () => says('x')),
      ),
    ),
    ...each({ userId: BAD_IDS, ...OPERATIONS, ...unknown('usrId') }, {}, (m, o) =>
      m.messages.append('c', says('x'), o),
    ),
  ],
  'messages.upsert': each(
    NEW_MESSAGE,
    says('good', { id: 'm' }),
    (m, input) => m.messages.upsert('c', [says('good'), says('good'), input]),
    inMessages(2),
  ),
  'messages.update': [
    ...each({ ...MESSAGE, ...unknown('id'), ...unknown('role'), ...unknown('parentId'), ...OWN }, {}, (m, patch) =>
      m.messages.update('c', 'm', patch),
    ),
    ...each(VERSIONS, {}, (m, options) => m.messages.update('c', 'm', { content: 'x' }, options)),
  ],
  'messages.branch': each({ id: BAD_IDS, title: BAD_LABELS, ...unknown('titel') }, {}, (m, options) =>
    m.messages.branch('c', 'm', options),
  ),
  'sessions.create': each(
    {
      id: BAD_IDS,
      userId: BAD_REQUIRED_IDS,
      ...SESSION,
      startedAt: BAD_DATES,
      ...TIMES,
      ...OWN,
      ...unknown('endedAt'),
    },
    { userId: 'new' },
    (m, input) => m.sessions.create(input),
  ),
  'sessions.update': each({ ...SESSION, ...unknown('userId'), ...unknown('startedAt'), ...OWN }, {}, (m, patch) =>
    m.sessions.update('s', patch),
  ),
  'memories.add': each({ ...NEW_MEMORY, userId: BAD_REQUIRED_IDS }, { userId: 'new', content: 'x' }, (m, input) =>
    m.memories.add(input),
  ),
  'memories.addMany': [
    ...each(
      { ...NEW_MEMORY, userId: BAD_REQUIRED_IDS },
      { userId: 'new', content: 'x' },
      (m, input) => m.memories.addMany([{ userId: 'new', content: 'x' }, input]),
      (field) => `memories[1].${field}`,
    ),
    single('no list', 'memories', (m) => m.memories.addMany({ userId: 'new', content: 'x' } as Untyped)),
    single('too many', 'memories', (m) =>
      m.memories.addMany(Array.from({ length: 6 }, () => ({ userId: 'new', content: 'x' }))),
    ),
  ],
  'memories.update': [
    ...each({ ...MEMORY, ...unknown('userId'), ...unknown('accessCount'), ...OWN }, {}, (m, patch) =>
      m.memories.update('e', patch),
    ),
    ...each(VERSIONS, {}, (m, options) => m.memories.update('e', { content: 'x' }, options)),
  ],
  'verbs that take ids': BAD_ID_CALLS,
  'verbs that take objects': BAD_OBJECT_CALLS,
}

/** The same of documents. */
export const BAD_DOCUMENT_CALLS: Readonly<Record<string, readonly BadCall[]>> = {
  'documents.upsert': [
    ...each(
      DOCUMENT,
      { namespace: 'n', id: 'd', content: 'x' },
      (m, input) => m.documents.upsert([{ namespace: 'n', id: 'new', content: 'x' }, input]),
      (field) => `documents[1].${field}`,
    ),
    single('too many', 'documents', (m) =>
      m.documents.upsert(Array.from({ length: 6 }, (_, i) => ({ namespace: 'n', id: `${i}`, content: 'x' }))),
    ),
  ],
  'verbs of documents that take ids': BAD_DOCUMENT_ID_CALLS,
}
