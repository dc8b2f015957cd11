// `npm run torture [-- NAME…]`: the long campaigns, one after the other. Each prints its own table and fails by its exit code.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../test/torture', import.meta.url))
const campaigns = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.includes('-child'))
  .map((name) => name.slice(0, -3))
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !campaigns.includes(name))
if (unknown.length > 0 || wanted.includes('--help')) {
  console.error(`usage: npm run torture [-- NAME…]\nknown campaigns: ${campaigns.join(', ')}`)
  process.exit(unknown.length > 0 ? 2 : 0)
}

const failed: string[] = []
for (const name of wanted.length > 0 ? wanted : campaigns) {
  console.log(`\n— ${name}`)
  const started = Date.now()
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(folder, `${name}.ts`)], { stdio: 'inherit' })
  console.log(
    `  ${name}: ${status === 0 ? 'passed' : `failed (exit code ${status})`} after ${Math.round((Date.now() - started) / 1000)} s`,
  )
  if (status !== 0) failed.push(name)
}
if (failed.length > 0) {
  console.error(`\nfailed: ${failed.join(', ')}`)
  process.exit(1)
}
