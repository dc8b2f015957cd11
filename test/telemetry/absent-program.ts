// A program on a machine without the package: node --import tsx --import <hook> absent-program.ts. Prints what it found.
import { createBackend } from '../../src/index.js'

const lines: unknown[] = []
const say = (...line: unknown[]): void => void lines.push(line)
const logger = { debug: say, info: say, warn: say, error: say }
const outcome = await import('@opentelemetry/api').then(
  () => 'found',
  (error: { code?: string }) => error.code,
)
const found: unknown[] = []
for (const telemetry of [undefined, true, { tenant: true }]) {
  const memory = createBackend('sqlite', { databasePath: ':memory:', telemetry, logger })
  const result = await memory.unitOfWork(async (unit) => {
    await unit.users.create({ id: 'u' })
    return (await unit.users.list()).items.length
  })
  await memory.cache.get('k')
  for await (const { id } of memory.users.each()) found.push(id)
  found.push(result, await memory.settle())
  await memory.close()
}
console.log(JSON.stringify({ outcome, found, lines }))
