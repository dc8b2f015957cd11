import type { Memory } from '../../src/contract/memory.js'
import { SECOND } from '../support/clock.js'
import { ADA, says, talk } from './fixtures.js'
import type { Ground } from './harness.js'

/** How long mortal records live. */
export const LIFE = 10 * SECOND

/** The ids of what the word finds; none where there is no search to ask. */
export async function found(memory: Memory, text: string, includeExpired = false): Promise<string[]> {
  if (!memory.capabilities.textSearch) return []
  return (await memory.search({ text, includeExpired })).map((hit) => hit.record.id)
}

/** Conversation `c` with messages `m` and another, which expires, beside `kept`, which does not. */
export async function mortalConversation(memory: Memory, ground: Ground): Promise<void> {
  await memory.conversations.create({ id: 'c', userId: ADA, title: 'old', expiresAt: ground.clock.date(LIFE) })
  await memory.messages.append('c', [says('zeppelin', { id: 'm' }), says('b')])
  await talk(memory, 'kept', ['kept'])
}
