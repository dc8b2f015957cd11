// Moves everything between every two kinds of stores, by processes that are killed at each named step and at 50 moments:
// what is there in the end must be all of it, once. `npm run torture transfer-kill`; SEED, MOMENTS and FROM (pairs that begin
// with it) by the environment.
import { startServers } from '../ground/index.js'
import { seeded } from '../support/random.js'
import { PAIRS } from '../transfer/support/ends.js'
import { killedTransfer } from '../transfer/support/killing.js'
import { STEPS } from '../transfer/support/steps.js'

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000))
const moments = Number(process.env.MOMENTS ?? 50)
const pairs = PAIRS.filter(([from]) => process.env.FROM === undefined || from === process.env.FROM)
console.log(`seed ${seed}, ${moments} moments and ${STEPS.length} steps of each of ${pairs.length} pairs`)
const random = seeded(seed)
const running = await startServers()
let kills = 0
let wrong = 0
try {
  for (const pair of pairs) {
    const started = performance.now()
    // The steps behind the last batch come when the moments are over.
    const before = STEPS.slice(0, 5)
    const after = STEPS.slice(5)
    const plan = { before, moments, after, records: 2, size: 150 }
    const { kills: n, report } = await killedTransfer(pair, running.urls, plan, random)
    const copied = Object.values(report.verified?.counts ?? {}).reduce((sum, { target }) => sum + target, 0)
    const fine = report.verified?.equal === true && report.quarantinedCount === 0
    kills += n
    if (!fine) wrong++
    const seconds = Math.round((performance.now() - started) / 1000)
    console.log(
      `  ${pair.join(' → ').padEnd(24)} ${String(n).padStart(3)} kills, ${copied} records, ${fine ? 'the same' : 'DIFFERENT'} (${seconds} s)`,
    )
  }
} finally {
  await running.stop()
}
console.log(`${kills} kills, ${wrong} of ${pairs.length} pairs differ`)
if (wrong > 0) process.exitCode = 1
