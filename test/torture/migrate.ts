/**
 * The long campaign of the migrator: 20 rounds of 16 processes starting at once, on both engines.
 * PostgreSQL is the one at POSTGRESQL_URL, or one of the test ground's.
 */
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { createMigrator } from '../../src/migrate/migrator.js'
import { startServers } from '../ground/index.js'
import { type Engine, postgresql, sqlite } from '../migrate/support/databases.js'
import { buildStarters, type Starters } from '../migrate/support/starters.js'

const processes = 16

interface Outcome {
  readonly engine: string
  readonly rounds: number
  readonly processes: number
  /** Rounds in which each migration was applied by exactly one process and the schema is complete. */
  readonly good: number
  readonly errors: number
  readonly 'median ms': number
  readonly 'slowest ms': number
}

async function campaign(engine: Engine, starters: Starters, rounds: number): Promise<Outcome> {
  const times: number[] = []
  let good = 0
  let errors = 0
  for (let i = 0; i < rounds; i++) {
    const database = await engine.create()
    const start = performance.now()
    const reports = await starters.run(database.url, processes)
    times.push(performance.now() - start)
    const tags = database.bundle.migrations.map((m) => m.tag)
    const applied = reports.flatMap((r) => r?.applied ?? []).sort()
    errors += reports.filter((r) => !r || r.error).length
    const { ok } = await createMigrator(database).verify()
    if (ok && applied.join() === tags.join() && (await database.target.journal()).length === tags.length) good++
    await database.close()
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0)
  return { engine: engine.dialect, rounds, processes, good, errors, 'median ms': at(0.5), 'slowest ms': at(1) }
}

/** Prints a table; true when every round was good. */
export async function tortureMigrations(rounds = 20): Promise<boolean> {
  await using ground = await startServers(['postgresql'])
  using starters = await buildStarters()
  const outcomes: Outcome[] = []
  for (const engine of [sqlite, postgresql(ground.urls.POSTGRESQL_URL ?? '')]) {
    outcomes.push(await campaign(engine, starters, rounds))
  }
  console.table(outcomes)
  return outcomes.every((o) => o.good === o.rounds && o.errors === 0)
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  process.exitCode = (await tortureMigrations(Number(argv[2] ?? 20))) ? 0 : 1
}
