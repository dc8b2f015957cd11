import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type BuiltChild, buildChild } from '../sqlite/support/child.js'
import { everything, plant } from './canaries.js'
import { ALL_ENGINES, dispose, freshUrl, leaveServer, miscounted, open } from './stores.js'

let child: BuiltChild
beforeAll(async () => {
  child = await buildChild('../../erase/killed-child.ts')
})
afterEach(dispose)
afterAll(async () => {
  child[Symbol.dispose]()
  await leaveServer()
})

async function killAfter(url: string, steps: number): Promise<void> {
  const running = spawn(process.execPath, [child.script, url, String(steps)], { stdio: 'inherit' })
  const [code, signal] = await once(running, 'close')
  if (signal !== 'SIGKILL') throw new Error(`it ended by itself, with code ${code}`)
}

describe.each(ALL_ENGINES)('an erasure from %s that is killed', (engine) => {
  test.each([1, 2, 3, 5, 7])('after %i steps has left what it did whole, and goes on', async (steps) => {
    const url = await freshUrl(engine)
    const memory = open(url)
    const acme = memory.forTenant('acme')
    for (const who of ['ada', 'bob']) await plant(acme, who, { vectors: false })
    const before = await everything(acme, 'bob')
    await killAfter(url, steps)
    expect(await miscounted(memory, 'acme')).toEqual([])
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' }, { scrub: false })
    expect(report).toMatchObject({ erased: true })
    expect(await acme.users.get('ada')).toBe(null)
    expect(await everything(acme, 'ada')).toEqual({ user: null, conversations: [], sessions: [], memories: [] })
    expect(await everything(acme, 'bob')).toEqual(before)
  })
})
