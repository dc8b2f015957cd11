import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createMemory } from '../../src/create-memory.js'
import { SEMANTIC } from '../composed/composition.js'
import { seeded } from '../support/random.js'
import { DIMENSIONS, fillSqlite } from '../transfer/support/fixture.js'
import { cli, ended, freshFolder, spawnCli } from './support.js'

const KILLS = 5
const SIZE = 150

describe.each(['qdrant', 'chromadb'] as const)('attaching %s', (kind) => {
  test('killed at random moments goes on where it was, and verify finds nothing lost or doubled', async () => {
    const primary = `sqlite:${join(await freshFolder(), 'memory.db')}`
    await fillSqlite(primary, SIZE)
    const semantic = (SEMANTIC[kind] as () => string)()
    const args = ['transfer', '--from', primary, '--attach', `semantic=${semantic}`]
    const random = seeded(kind.length)
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawnCli(args)
      const over = ended(child)
      const said = new Promise((resolve) => child.stdout?.once('data', resolve))
      await Promise.race([said, over])
      await sleep(random() * 900)
      child.kill('SIGKILL')
      await over
    }
    const { code, stdout, stderr } = await cli([...args, '--json'])
    expect(code, stderr).toBe(0)
    const { verified, left } = JSON.parse(stdout)
    expect(left).toBe(0)
    expect(verified).toMatchObject({ missing: 0, orphan: 0, stale: 0, waiting: 0, parked: 0 })
    expect([verified.expected, verified.found]).toEqual(Array(2).fill(2 * (3 * (SIZE - 1) + SIZE + 2 * SIZE)))
    await using whole = createMemory({ primary, semantic, embeddingDimensions: DIMENSIONS, settle: 'off' })
    expect(await whole.verify()).toMatchObject({ found: verified.found, missing: 0, orphan: 0, stale: 0 })
  })
})
