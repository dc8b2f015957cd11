// `npm run torture kill`, or this file with `--rounds N --seed N`: a writer killed again and again, every promise looked
// at after each time.
import { parseArgs } from 'node:util'
import { buildChild } from '../sqlite/support/child.js'
import { killRound } from '../sqlite/support/kill.js'
import { seeded } from '../support/random.js'

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } })
const rounds = Number(values.rounds ?? 200)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const random = seeded(seed)
using child = await buildChild('kill-child.ts')

const totals = { power: { rounds: 0, acknowledged: 0, stored: 0 }, process: { rounds: 0, acknowledged: 0, stored: 0 } }
const problems: string[] = []
for (let round = 1; round <= rounds; round++) {
  const durability = round % 2 ? 'power' : 'process'
  const after = Math.round(random() * 400)
  const report = await killRound({ script: child.script, durability, after })
  const total = totals[durability]
  total.rounds++
  total.acknowledged += report.acknowledged
  total.stored += report.stored
  for (const problem of report.problems) problems.push(`round ${round} (${durability}, ${after} ms): ${problem}`)
  if (process.stdout.isTTY) process.stdout.write(`\r  ${round} of ${rounds}`)
}
console.log(`\n  killed ${rounds} times, seed ${seed}`)
console.table(totals)
for (const problem of problems.slice(0, 50)) console.log(`  ${problem}`)
console.log(problems.length === 0 ? '  every promise held' : `  ${problems.length} promises broken`)
process.exitCode = problems.length === 0 ? 0 : 1
