import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { v7 } from 'uuid'

/**
 * What a program would do by hand for the same result: a script that draws positions, keeps each message as JSON in a
 * sorted set in their order, and remembers where each id stands. It checks nothing.
 */
const APPEND = `
local n = #ARGV / 2
local last = redis.call('HINCRBY', KEYS[1], 'lastPosition', n)
local members, ids = {}, {}
for i = 1, n do
  local position = last - n + i
  members[2 * i - 1] = position
  members[2 * i] = ARGV[2 * i]
  ids[2 * i - 1] = ARGV[2 * i - 1]
  ids[2 * i] = position
end
redis.call('ZADD', KEYS[2], unpack(members))
redis.call('HSET', KEYS[3], unpack(ids))
return last
`
const sha = createHash('sha1').update(APPEND).digest('hex')

export interface RawRedis {
  append(conversation: string, contents: readonly string[]): Promise<unknown>
  /** The least that can be done: JSON pushed to a list. */
  push(conversation: string, contents: readonly string[]): Promise<unknown>
  last(conversation: string, n: number): Promise<unknown[]>
  close(): void
}

/** A message as a program has it, in full. */
function message(content: string, conversationId: string, now: number) {
  return {
    id: v7(),
    tenantId: 'default',
    conversationId,
    parentId: null,
    role: 'user',
    type: 'text',
    content,
    parts: null,
    name: null,
    toolCallId: null,
    status: 'complete',
    metadata: {},
    createdAt: now,
    updatedAt: now,
    version: 1,
  }
}

export async function openRaw(url: string): Promise<RawRedis> {
  const client = new Redis(url, { enableAutoPipelining: true })
  await client.script('LOAD', APPEND)
  return {
    append(conversation, contents) {
      const now = Date.now()
      const args = contents.flatMap((content) => {
        const made = message(content, conversation, now)
        return [made.id, JSON.stringify(made)]
      })
      const keys = ['conversation', 'messages', 'ids'].map((kind) => `${kind}:${conversation}`)
      return client.evalsha(sha, 3, ...keys, ...args)
    },
    push(conversation, contents) {
      const now = Date.now()
      const texts = contents.map((content) => JSON.stringify(message(content, conversation, now)))
      return client.rpush(`list:${conversation}`, ...texts)
    },
    async last(conversation, n) {
      const [found] = await Promise.all([
        client.zrange(`messages:${conversation}`, String(-n), '-1'),
        client.hmget(`conversation:${conversation}`, 'userId', 'expiresAt'),
      ])
      return found.map((text) => {
        const read = JSON.parse(text) as ReturnType<typeof message>
        return { ...read, createdAt: new Date(read.createdAt), updatedAt: new Date(read.updatedAt) }
      })
    },
    close: () => client.disconnect(),
  }
}
