import { says } from './fixtures.js'
import { type BadCall, each, single, type Untyped } from './validation-call.js'
import { BAD_IDS, BAD_REQUIRED_IDS } from './validation-values.js'

/** Ids as arguments, and as filters of listings. */
export const BAD_ID_CALLS: readonly BadCall[] = [
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.users.get(id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.users.update(id, { name: 'x' })),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.users.delete(id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.conversations.get(id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.conversations.delete(id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.messages.get('c', id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.messages.delete('c', id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.memories.get(id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.sessions.end(id)),
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.sessions.touch(id)),
  ...each({ userId: BAD_REQUIRED_IDS }, {}, (m, { userId }: { userId: Untyped }) => m.sessions.latest(userId)),
  ...each({ userId: BAD_IDS }, {}, (m, options) => m.conversations.list(options)),
  ...each({ userId: BAD_IDS }, {}, (m, options) => m.sessions.list(options)),
  ...['append', 'upsert'].flatMap((verb) =>
    each({ conversationId: BAD_REQUIRED_IDS }, {}, (m, { conversationId }: { conversationId: Untyped }) =>
      m.messages[verb as 'append'](conversationId, says('x'), { userId: 'new' }),
    ),
  ),
  ...['list', 'clear', 'turnCount'].flatMap((verb) =>
    each({ conversationId: BAD_REQUIRED_IDS }, {}, (m, { conversationId }: { conversationId: Untyped }) =>
      m.messages[verb as 'list'](conversationId),
    ),
  ),
  ...each({ messageId: BAD_REQUIRED_IDS }, {}, (m, { messageId }: { messageId: Untyped }) =>
    m.messages.branch('c', messageId),
  ),
]

/** The same of documents. */
export const BAD_DOCUMENT_ID_CALLS: readonly BadCall[] = [
  ...each({ id: BAD_REQUIRED_IDS }, {}, (m, { id }: { id: Untyped }) => m.documents.get('n', id)),
  ...each({ namespace: BAD_REQUIRED_IDS }, {}, (m, { namespace }: { namespace: Untyped }) =>
    m.documents.list(namespace),
  ),
  ...each({ namespace: BAD_REQUIRED_IDS }, {}, (m, { namespace }: { namespace: Untyped }) =>
    m.documents.deleteNamespace(namespace),
  ),
]

/** What stands where an object of input should. */
export const BAD_OBJECT_CALLS: readonly BadCall[] = [
  ...[null, undefined, 'x', 1, []].flatMap((bad) => {
    const name = JSON.stringify(bad) ?? 'undefined'
    return [
      single(`users.create(${name})`, 'input', (m) => m.users.create(bad as Untyped)),
      single(`conversations.create(${name})`, 'input', (m) => m.conversations.create(bad as Untyped)),
      single(`memories.add(${name})`, 'input', (m) => m.memories.add(bad as Untyped)),
      single(`sessions.update(${name})`, 'input', (m) => m.sessions.update('s', bad as Untyped)),
    ]
  }),
]
