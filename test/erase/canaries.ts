import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TenantMemory } from '../../src/contract/memory.js'
import { encodeVector } from '../../src/embeddings/vector.js'

export const DIMENSIONS = 8

/** Numbers that nobody else's vector has: their bytes are looked for in files. */
export const canaryVector = (seed: number): Float32Array =>
  Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(seed * 100 + i) + 1.5)

export const seedOf = (who: string, n: number): number => n + who.charCodeAt(0) * 10

/** Words that the analyzer leaves as they are, each of one place. */
export const word = (who: string, place: string): string => `qzx${who}${place}vjk`

const PLACES = [
  'content',
  'firstcontent',
  'gonecontent',
  'speaker',
  'title',
  'summary',
  'tag',
  'metadata',
  'parts',
  'username',
  'profile',
  'preference',
  'state',
  'memory',
  'oldmemory',
  'source',
  'category',
  'result',
  'deepresult',
  'messageid',
] as const

export const canaries = (who: string): string[] => PLACES.map((place) => word(who, place))

/** Writes canaries through every verb that keeps anything, updates and deletes included. */
export async function plant(tenant: TenantMemory, who: string, { vectors = true } = {}): Promise<void> {
  const say = (place: (typeof PLACES)[number]): string => word(who, place)
  const vector = (n: number) => (vectors ? { vector: canaryVector(seedOf(who, n)) } : {})
  await tenant.users.create({ id: who, name: say('username'), profile: { is: say('profile') } })
  await tenant.users.update(who, { preferences: { likes: say('preference') } })
  const conversation = await tenant.conversations.create({
    id: `c-${who}`,
    userId: who,
    title: say('title'),
    tags: [say('tag')],
    metadata: { note: say('metadata') },
  })
  await tenant.conversations.update(conversation.id, { summary: say('summary') })
  await tenant.messages.append(
    conversation.id,
    [
      { id: `m-${who}`, role: 'user', content: `${say('firstcontent')} of before`, ...vector(1) },
      { role: 'user', name: say('speaker'), content: `${say('content')} is here`, metadata: { a: say('metadata') } },
      {
        id: say('messageid'),
        role: 'tool',
        content: 'ok then',
        parts: [{ type: 'data', value: say('parts') }],
        ...vector(2),
      },
    ],
    { operationId: `append-${who}` },
  )
  await tenant.messages.update(conversation.id, `m-${who}`, { content: `${say('content')} of after` })
  const [gone] = await tenant.messages.append(conversation.id, { role: 'assistant', content: say('gonecontent') })
  await tenant.messages.delete(conversation.id, gone?.id as string)
  await tenant.messages.branch(conversation.id, `m-${who}`)
  await tenant.sessions.create({ userId: who, conversationId: conversation.id, state: { at: say('state') } })
  const memory = await tenant.memories.add({
    userId: who,
    type: 'fact',
    content: `${say('oldmemory')} once`,
    source: say('source'),
    category: say('category'),
    tags: [say('tag')],
    ...vector(4),
  })
  await tenant.memories.update(memory.id, { content: `${say('memory')} now` })
  await tenant.memories.add({ userId: who, content: 'ok then', ...vector(3) })
  await tenant.unitOfWork(
    async (unit) => {
      const [message] = await unit.messages.append(conversation.id, { role: 'user', content: say('result') })
      return { said: message?.content, about: { deep: say('deepresult') } }
    },
    { operationId: `unit-${who}` },
  )
}

/** All that a user has, in one value: for a comparison of before and after. */
export async function everything(tenant: TenantMemory, userId: string): Promise<unknown> {
  const conversations = []
  for await (const each of tenant.conversations.each({ userId })) {
    const messages = []
    for await (const message of tenant.messages.each(each.id)) messages.push(message)
    conversations.push({ ...each, messages })
  }
  const [sessions, memories] = [[], []] as [unknown[], unknown[]]
  for await (const each of tenant.sessions.each({ userId })) sessions.push(each)
  for await (const each of tenant.memories.each({ userId })) memories.push(each)
  return { user: await tenant.users.get(userId), conversations, sessions, memories }
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)))
}

/** Which of these are in some files or folders, as text or as the bytes of a vector. */
export function foundIn(paths: readonly string[], who: string, vectors = true): string[] {
  const needles = canaries(who).map((text) => [text, Buffer.from(text)] as const)
  if (vectors)
    for (let n = 1; n <= 4; n++) {
      needles.push([`vector ${n}`, Buffer.from(encodeVector(canaryVector(seedOf(who, n))))])
    }
  const found = new Set<string>()
  for (const file of paths.flatMap(filesIn)) {
    const bytes = readFileSync(file)
    for (const [name, needle] of needles) if (bytes.includes(needle)) found.add(`${name} in ${file.split('/').at(-1)}`)
  }
  return [...found].sort()
}
