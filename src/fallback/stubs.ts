import type { UnitScope } from '../contract/backend.js'
import { ValidationError } from '../errors.js'
import { messageCursors } from '../repository/message-options.js'
import type { Act, Made } from './entry.js'
import type { Recorder } from './recorder.js'

/** Owns conversations whose user only the first backend knows. */
export const UNKNOWN_USER = 'bruno-memory:unknown'

/** A write, made ready for a store that has only a part of what there is. */
export interface Prepared {
  /** As this store is asked. */
  readonly args: readonly unknown[]
  /** As the first backend will be asked. */
  readonly recorded: readonly unknown[]
  /** What this store makes beside. */
  readonly made: readonly Made[]
  /** A conversation to be made before, whose user is not known. */
  readonly stub?: string
}

const asIs = ({ args }: Act): Prepared => ({ args, recorded: args, made: [] })
type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
const recordsOf = (value: unknown): Fields[] => (Array.isArray(value) ? value : [value]).map(fieldsOf)

/** What the door would refuse is left to the verb itself, which says so in its own words. */
async function legal<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    if (error instanceof ValidationError) return undefined
    throw error
  }
}

const PREPARE: Readonly<Record<string, (scope: UnitScope, act: Act, recorder: Recorder) => Promise<Prepared>>> = {
  'messages.append': prepareAppend,
  'messages.upsert': prepareAppend,
  'messages.clear': prepareClear,
  'conversations.create': prepareOwned,
  'sessions.create': prepareOwned,
  'memories.add': prepareOwned,
  'memories.addMany': prepareOwned,
}

export async function prepareWrite(scope: UnitScope, recorder: Recorder, act: Act): Promise<Prepared> {
  const prepare = PREPARE[`${act.repository}.${act.name}`]
  return prepare ? prepare(scope, act, recorder) : asIs(act)
}

async function absentUser(scope: UnitScope, id: unknown): Promise<Made[]> {
  if (typeof id !== 'string' || !scope.users) return []
  return (await legal(scope.users.get(id))) === null ? [{ kind: 'user', id }] : []
}

/** Their users are made if absent. */
async function prepareOwned(scope: UnitScope, act: Act): Promise<Prepared> {
  const users = new Set(recordsOf(act.args[0]).map(({ userId }) => userId))
  const made: Made[] = []
  for (const id of users) made.push(...(await absentUser(scope, id)))
  return { ...asIs(act), made }
}

/** A conversation that this store has never seen is continued as a stub. */
async function prepareAppend(scope: UnitScope, act: Act): Promise<Prepared> {
  const [id, messages, options, ...rest] = act.args as [string, unknown, unknown, ...unknown[]]
  const { conversations } = scope
  if (typeof id !== 'string' || !conversations) return asIs(act)
  const stored = await legal(conversations.get(id))
  if (stored === undefined) return asIs(act)
  const { userId, ...others } = fieldsOf(options)
  const made: Made[] = []
  let asked = options
  if (stored === null) {
    made.push(...(await absentUser(scope, userId ?? UNKNOWN_USER)), { kind: 'conversation', id })
  } else if (stored.userId === UNKNOWN_USER && userId !== undefined) asked = others
  const known = await withKnownParents(scope, id, messages)
  const args = asked === undefined ? [id, known] : [id, known, asked, ...rest]
  const stub = stored === null && userId === undefined
  return { args, recorded: act.args, made, ...(stub && { stub: id }) }
}

/** A reply to a message that only the first backend has names none here. */
async function withKnownParents(scope: UnitScope, conversationId: string, messages: unknown): Promise<unknown> {
  const all = recordsOf(messages)
  if (all.every(({ parentId }) => typeof parentId !== 'string')) return messages
  const earlier = new Set<unknown>()
  const known: unknown[] = []
  for (const message of all) {
    const { id, parentId } = message
    const here =
      typeof parentId !== 'string' ||
      earlier.has(parentId) ||
      (await legal(scope.messages?.get(conversationId, parentId) ?? Promise.resolve(null))) !== null
    known.push(here ? message : { ...message, parentId: null })
    earlier.add(id)
  }
  return Array.isArray(messages) ? known : known[0]
}

/** A cursor's position means nothing to the first backend: the message at it does. */
async function prepareClear(scope: UnitScope, act: Act, recorder: Recorder): Promise<Prepared> {
  const [id, options, ...rest] = act.args as [string, unknown, ...unknown[]]
  const { before } = fieldsOf(options)
  if (typeof before !== 'string' || typeof id !== 'string') return asIs(act)
  const asked = recorder.outage.cursors.read(options) as Fields
  const cursors = messageCursors(recorder.tenantId, id)
  const [position] = cursors.decode(asked.before, 'before')
  const page = await scope.messages?.list(id, { after: cursors.encode(position - 1), limit: 1 })
  const [message] = page?.items ?? []
  return {
    args: [id, asked, ...rest],
    recorded: [id, { ...(options as object), before: message ? { message: message.id } : undefined }, ...rest],
    made: [],
  }
}
