import { expect } from 'vitest'
import type { EventType, MemoryEvent } from '../../src/contract/events.js'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import { eventually } from '../support/eventually.js'
import { pause } from '../support/gate.js'
import type { Ground } from './harness.js'

/** What a listener or a consumer was told, in its order. */
export class Heard {
  readonly events: MemoryEvent[] = []
  readonly take = (event: MemoryEvent): void => {
    this.events.push(event)
  }

  /** Keys of the events of one type, `["c","m"]` for a message. */
  keys(type: EventType): string[] {
    return this.events.filter((event) => event.type === type).map((event) => event.key.join(' '))
  }

  has(type: EventType, key: string): boolean {
    return this.keys(type).includes(key)
  }
}

/** A listener of a tenant that hears from now on. */
export async function listening(memory: TenantMemory, type: EventType | '*' = '*'): Promise<Heard> {
  const heard = new Heard()
  await memory.events.on(type, heard.take).ready
  return heard
}

/**
 * Writes a record of its own in that tenant and waits until it has been heard: whatever was written before it, and was
 * to be heard, has been heard by then.
 */
export async function settled(ground: Ground, memory: TenantMemory, ...all: Heard[]): Promise<void> {
  const { id } = await memory.users.create({})
  await eventually(ground.clock, () => all.every((heard) => heard.has('user.created', id)))
  for (const heard of all) expect(heard.keys('user.created')).toContain(id)
  for (const heard of all)
    heard.events.splice(
      heard.events.findIndex(({ key }) => key[0] === id),
      1,
    )
}

/** Creates users with these ids, one after the other. */
export async function create(memory: Pick<Memory, 'users'>, ids: readonly string[]): Promise<void> {
  for (const id of ids) await memory.users.create({ id })
}

/** Long enough for what should not be heard to be heard all the same. */
export const silence = (): Promise<void> => pause(150)
