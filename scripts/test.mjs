// `npm test`: install, build, lint, type-check, every test against real servers, the packed tarball.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bin, build, install, step } from './lib.mjs'

install()
build()
step('lint', bin('biome'), ['check', '--error-on-warnings', '.'])
step('migrations', bin('tsx'), ['scripts/lint-migrations.ts'])
step('types', bin('tsc'), ['-p', '.'])
step('package', bin('publint'), ['--strict'])
step('package types', bin('attw'), ['--pack', '.', '--profile', 'node16', '--format', 'table-flipped'])

const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-results-'))
const results = join(folder, 'results.json')
const status = step(
  'tests',
  bin('vitest'),
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${results}`, ...process.argv.slice(2)],
  { mayFail: true },
)
try {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(results, 'utf8'))
  console.log(`\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit(status)
