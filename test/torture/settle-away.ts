// `npm run torture settle-away`, or this file with `--seconds N --rate N`: Qdrant is away for a minute under steady writes.
// When it is back it is told of everything, in order; until then the process does not grow, for nothing waits in it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createMemory } from '../../src/index.js'
import { compareStores, noDifferences } from '../composed/support/agreement.js'
import { brought } from '../composed/support/brought.js'
import { qdrantPeek } from '../composed/support/engine.js'
import { sqlitePeek } from '../composed/support/primary.js'
import { DIMENSIONS, vectorOf } from '../composed/support/vectors.js'
import { startQdrant } from '../ground/index.js'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, rate: { type: 'string' } } })
const seconds = Number(values.seconds ?? 60)
const rate = Number(values.rate ?? 500)
const TICK = 20
/** The longest pause between two attempts, and the time to work it off. */
const PATIENCE = 180_000
const MOST_GROWTH = 128

await using server = await startQdrant({ own: true })
const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-away-'))
const databasePath = join(folder, 'memory.db')
const memory = createMemory({
  primary: { backend: 'sqlite', databasePath },
  semantic: { backend: 'qdrant', url: server.url, collectionName: 'away' },
  embeddingDimensions: DIMENSIONS,
})

const rss = (): number => process.memoryUsage().rss / 2 ** 20
const depth = async (): Promise<number> => (await memory.followers())[0]?.depth ?? -1

let n = 0
function add(): Promise<unknown> {
  const content = `text ${++n}`
  return memory.memories.add({ id: `m${n}`, userId: 'ada', content, vector: vectorOf(content) })
}

/** So many writes a second, on time however long each takes. */
async function write(ms: number): Promise<void> {
  const started = performance.now()
  const first = n
  while (performance.now() - started < ms) {
    const due = Math.floor(((performance.now() - started) / 1000) * rate) - (n - first)
    await Promise.all(Array.from({ length: due }, add))
    await sleep(TICK)
  }
}

try {
  await memory.connect()
  await write(5000)
  await memory.settle()
  const written = n
  const told = brought()
  await server.kill()
  const before = rss()
  await write(seconds * 1000)
  const grown = rss() - before
  const waiting = await depth()
  await server.start()
  const back = performance.now()
  while ((await depth()) > 0 && performance.now() - back < PATIENCE) await sleep(50)
  const drained = performance.now() - back
  const first = told.first
  told.restore()
  const peek = sqlitePeek(databasePath)
  const differences = noDifferences()
  await compareStores(peek, qdrantPeek(server.url, 'away'), differences)
  await peek.close()
  const { wrong, ...compared } = differences
  if (!told.inOrder) wrong.push('revisions did not arrive in order')
  if (waiting !== n - written) wrong.push(`${waiting} entries waited for ${n - written} records`)
  if (grown > MOST_GROWTH) wrong.push(`the process has grown by ${Math.round(grown)} MB`)
  console.table({
    'records written while it was away': n - written,
    'growth of the process in MB': Math.round(grown),
    'milliseconds until it was told the first': Math.round(first - back),
    'milliseconds until it was told everything': Math.round(drained),
    ...compared,
  })
  for (const each of wrong.slice(0, 20)) console.log(`  ${each}`)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  await memory.close()
  rmSync(folder, { recursive: true, force: true })
}
