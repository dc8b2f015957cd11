// `npm run torture settle-kill`, or this file with `--kills N --seed N`: writers and settlers of SQLite + ChromaDB + Redis and
// of PostgreSQL + Qdrant + Redis, killed at random moments and at every step between a commit and the end of its entry in the
// outbox. Afterwards every store has what the primary has: nothing is lost, made up or there twice.
import { parseArgs } from 'node:util'
import { Campaign } from '../composed/support/campaign.js'
import { type Combination, freshStores } from '../composed/support/stores.js'
import { startServers } from '../ground/index.js'
import { buildChild } from '../sqlite/support/child.js'

const { values } = parseArgs({ options: { kills: { type: 'string' }, seed: { type: 'string' } } })
const kills = Number(values.kills ?? 2000)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const GROUP = 20
const COMBINATIONS: readonly Combination[] = ['SQLite + ChromaDB + Redis', 'PostgreSQL + Qdrant + Redis']

await using servers = await startServers()
using child = await buildChild('../../composed/support/settle-child.ts')

async function run(combination: Combination): Promise<boolean> {
  const campaign = await Campaign.open(child.script, await freshStores(combination, servers.urls), seed)
  try {
    for (let done = 0; done < kills / COMBINATIONS.length; done += GROUP) {
      await campaign.group(GROUP)
      if (process.stdout.isTTY) process.stdout.write(`\r  ${combination}: ${done + GROUP} kills`)
    }
  } finally {
    await campaign.close()
  }
  const { wrong, kills: byStep, ...figures } = campaign.report
  const total = Object.values(byStep).reduce((sum, n) => sum + n, 0)
  console.log(`\n  ${combination}: ${total} kills, seed ${seed}`)
  console.table(byStep)
  console.table(figures)
  for (const each of wrong.slice(0, 30)) console.log(`    ${each}`)
  console.log(wrong.length === 0 ? '  nothing is lost or made up' : `  ${wrong.length} promises broken`)
  return wrong.length === 0
}

const right = await Promise.all(COMBINATIONS.map(run))
process.exitCode = right.every(Boolean) ? 0 : 1
