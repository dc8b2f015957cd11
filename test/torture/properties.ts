// `npm run torture properties`, or this file with `--rounds N --seed N`: the property tests over samples that no run had.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } })
const rounds = Number(values.rounds ?? 1)
const first = Number(values.seed ?? Date.now() % 1_000_000_000)
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))
const files = [
  'test/archive',
  'test/composed/model.test.ts',
  'test/context',
  'test/embeddings',
  'test/import',
  'test/sqlite',
  'test/postgresql',
  'test/vector',
]
const failed: number[] = []
for (let round = 0; round < rounds; round++) {
  const seed = first + round
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--reporter=dot', ...files], {
    stdio: 'inherit',
    env: { ...process.env, FC_SEED: String(seed) },
  })
  console.log(`  seed ${seed}: ${status === 0 ? 'passed' : 'failed'}`)
  if (status !== 0) failed.push(seed)
}
console.log(failed.length === 0 ? `  ${rounds} seeds passed` : `  failed with FC_SEED=${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
