import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type BuiltChild, buildChild } from '../sqlite/support/child.js'
import { Campaign } from './support/campaign.js'
import { type Combination, freshStores } from './support/stores.js'

let child: BuiltChild
beforeAll(async () => {
  child = await buildChild('../../composed/support/settle-child.ts')
})
afterAll(() => child[Symbol.dispose]())

const GROUPS = 2
const KILLS = 25

const COMBINATIONS: readonly Combination[] = ['PostgreSQL + Qdrant + Redis', 'SQLite + ChromaDB + Redis']

test.each(COMBINATIONS)(
  'whatever is killed, and where, %s agree within five seconds',
  async (combination) => {
    const campaign = await Campaign.open(child.script, await freshStores(combination, inject('servers')), 1)
    try {
      for (let i = 0; i < GROUPS; i++) await campaign.group(KILLS)
    } finally {
      await campaign.close()
    }
    const { wrong, ...report } = campaign.report
    expect(wrong).toEqual([])
    expect(report).toMatchObject({ lost: 0, phantom: 0, duplicates: 0, stale: 0, windows: 0, repaired: 0 })
    expect(report.acknowledged).toBeGreaterThan(KILLS)
  },
  300_000,
)
