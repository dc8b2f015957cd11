// `npm run torture postgresql-saturation`, or this file with `--target N`: 800 callers on four connections, units that
// roll back among them; then the same on the driver as it comes.
import { parseArgs } from 'node:util'
import postgres from 'postgres'
import { createBackend } from '../../src/index.js'
import { ownPostgresql } from '../ground/index.js'
import { saturate, saturateDriver } from '../postgresql/support/saturation.js'

const { values } = parseArgs({ options: { target: { type: 'string' } } })
const target = Number(values.target ?? 300_000)
const server = await ownPostgresql()
try {
  const admin = postgres(server.url, { max: 1 })
  await admin.unsafe('create database bare')
  await admin.end()
  const bare = new URL(server.url)
  bare.pathname = '/bare'
  const memory = createBackend('postgresql', { connectionString: server.url, poolSize: 4, acquireTimeout: 600_000 })
  await memory.connect()
  const ours = await saturate(memory, server.url, { workers: 800, target })
  await memory.close()
  const driver = await saturateDriver(bare.href, 4, { workers: 800, target })
  console.table({ ours, 'postgres.js as it comes': driver })
  const broken = ours.lost + ours.phantoms + ours.partial + ours.refused
  console.log(broken === 0 ? '  every promise held' : `  ${broken} promises broken`)
  process.exitCode = broken === 0 ? 0 : 1
} finally {
  await server.stop()
}
