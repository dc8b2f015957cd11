import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import { plant } from './canaries.js'
import { ALL_ENGINES, dispose, freshMemory, leaveServer, miscounted } from './stores.js'

afterEach(dispose)
afterAll(leaveServer)

/** Writes until it is told to stop; answers how many were stored. */
function writer(tenant: TenantMemory, userId: string, refused: (error: unknown) => void): () => Promise<number> {
  let running = true
  const run = async (): Promise<number> => {
    let stored = 0
    for (let n = 0; running; n++) {
      await tenant.messages
        .append(`busy-${userId}`, { role: 'user', content: `number ${n}` }, { userId })
        .then(() => stored++, refused)
      await new Promise(setImmediate)
    }
    return stored
  }
  const done = run()
  onTestFinished(() => {
    running = false
  })
  return async () => {
    running = false
    return done
  }
}

describe.each(ALL_ENGINES)('erase from %s while it is in use', (engine) => {
  test('takes nothing from others, and what its user writes meanwhile goes with the next one', async () => {
    const memory = await freshMemory(engine)
    const acme = memory.forTenant('acme')
    for (let n = 0; n < 20; n++)
      await acme.messages.append(
        `long-${n % 3}`,
        Array.from({ length: 50 }, (_, i) => ({ role: 'user' as const, content: `line ${i}` })),
        { userId: 'ada' },
      )
    await plant(acme, 'bob', { vectors: false })
    const refused: unknown[] = []
    // A write of somebody who is erased at this moment may find nobody to belong to.
    const [bob, ada] = [writer(acme, 'bob', (error) => refused.push(error)), writer(acme, 'ada', () => undefined)]
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' }, { batch: 20, deadline: 5000 })
    expect(report.stores[0]?.error).toBe(null)
    const written = await bob()
    await ada()
    expect(refused).toEqual([])
    expect(written).toBeGreaterThan(0)
    expect((await acme.conversations.get('busy-bob'))?.messageCount).toBe(written)
    expect(await acme.conversations.get('long-0')).toBe(null)
    const second = await memory.erase({ tenantId: 'acme', userId: 'ada' }, { scrub: false })
    expect(second).toMatchObject({ erased: true })
    expect(await acme.users.get('ada')).toBe(null)
    expect(await miscounted(memory, 'acme')).toEqual([])
  })
})
