// `npm run torture postgresql-terminate`, or this file with `--rounds N`: the connection of a unit ended at each of its
// points, again and again; the caller's answer is held against the table.
import { parseArgs } from 'node:util'
import { createBackend } from '../../src/index.js'
import { ownPostgresql } from '../ground/index.js'
import { Killer, type Killing, killAt, POINTS } from '../postgresql/support/terminate.js'

const { values } = parseArgs({ options: { rounds: { type: 'string' } } })
const rounds = Number(values.rounds ?? 200)
const server = await ownPostgresql()
const stray: string[] = []
process.on('unhandledRejection', (error) => stray.push(`unhandled rejection: ${String(error)}`))
process.on('uncaughtException', (error) => stray.push(`uncaught exception: ${String(error)}`))
try {
  const memory = createBackend('postgresql', {
    connectionString: server.url,
    poolSize: 3,
    applicationName: 'torture-terminate',
  })
  await memory.conversations.create({ id: 'c', userId: 'ada' })
  const killer = new Killer(server.url, 'torture-terminate')
  const all: Killing[] = []
  for (let i = 0; i < rounds; i++)
    for (const point of POINTS) all.push(await killAt(memory, killer, point, `u${i}${POINTS.indexOf(point)}`))
  console.table(
    Object.fromEntries(
      POINTS.map((point) => {
        const of = all.filter((each) => each.point === point)
        const n = (answer: Killing['answer']) => of.filter((each) => each.answer === answer).length
        return [point, { stored: n('stored'), 'not stored': n('not stored'), unknown: n('unknown') }]
      }),
    ),
  )
  const problems = [...all.flatMap((each) => each.problems.map((problem) => `${each.point}: ${problem}`)), ...stray]
  for (const problem of problems.slice(0, 30)) console.log(`  ${problem}`)
  console.log(problems.length === 0 ? '  every answer agrees with the table' : `  ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
  await killer.end()
  await memory.close()
} finally {
  await server.stop()
}
