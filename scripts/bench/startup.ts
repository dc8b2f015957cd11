import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './measure.js'

const dist = fileURLToPath(new URL('../../dist/index.cjs', import.meta.url))

function run(program: string): number {
  const started = performance.now()
  const { status } = spawnSync(process.execPath, ['-e', program], { stdio: 'inherit' })
  if (status !== 0) throw new Error('a program of the start-up benchmark failed')
  return performance.now() - started
}

/** Whole processes, in turn: bare node, the package required, and a memory opened on a current file. */
export function startup(folder: string, rounds: number): void {
  if (!existsSync(dist)) {
    console.log('\nstart-up: not measured, for there is no build (npm run build)')
    return
  }
  const file = join(folder, 'startup.db')
  const required = `const { createBackend } = require(${JSON.stringify(dist)});`
  const programs = {
    bare: '0',
    required,
    opened: `${required} const memory = createBackend('sqlite', { databasePath: ${JSON.stringify(file)} }); memory.connect().then(() => memory.close())`,
  }
  for (const program of Object.values(programs)) run(program)
  const times: Record<keyof typeof programs, number[]> = { bare: [], required: [], opened: [] }
  for (let round = 0; round < rounds; round++)
    for (const [name, program] of Object.entries(programs)) times[name as keyof typeof programs].push(run(program))
  const bare = median(times.bare)
  console.log(
    `\nstart-up, medians of ${rounds}: bare node ${bare.toFixed(0)} ms, require('bruno-memory') +${(median(times.required) - bare).toFixed(0)} ms ` +
      `(goal +40), with SQLite opened +${(median(times.opened) - bare).toFixed(0)} ms (goal +120)`,
  )
}
