import { expect, test } from 'vitest'
import type { Logger } from '../../src/contract/telemetry.js'
import { ConnectionError } from '../../src/errors.js'
import { createBackend } from '../../src/index.js'
import { guarded } from '../../src/telemetry/logger.js'
import { Settler } from '../../src/unit/settler.js'

type Line = readonly [level: string, message: string, fields: unknown]

function lines(): { readonly logger: Logger; readonly written: Line[] } {
  const written: Line[] = []
  const at =
    (level: string): Logger['info'] =>
    (message, fields) => {
      written.push([level, message, fields])
    }
  return { written, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

test('settling that fails is told of once, and once that it works again', async () => {
  const { logger, written } = lines()
  let away = true
  const settling = {
    pass: async () => {
      if (away) throw new ConnectionError('the service is away')
      return 0
    },
    report: async () => ({ pending: 0, parked: 0 }),
  }
  const settler = new Settler(settling, logger)
  for (let i = 0; i < 3; i++) await expect(settler.settle()).rejects.toThrow('away')
  expect(written).toEqual([['warn', 'settling failed, and is tried again', { code: 'connection' }]])
  away = false
  await settler.settle()
  await settler.settle()
  expect(written.slice(1)).toEqual([['info', 'settling works again', { failures: 3 }]])
  await settler.stop()
})

test('a logger that throws ends nothing', () => {
  const broken = () => {
    throw new Error('the disk is full')
  }
  const logger = guarded({ debug: broken, info: broken, warn: broken, error: broken })
  for (const level of ['debug', 'info', 'warn', 'error'] as const) expect(logger[level]('x')).toBeUndefined()
})

test('what is no logger is refused', () => {
  for (const logger of [null, {}, { info() {} }, 'console'])
    expect(() => createBackend('sqlite', { databasePath: ':memory:', logger: logger as never })).toThrow(/logger/)
})

/** As pino has it: fields come first. */
type PinoMethod = (fields: object, message?: string, ...rest: unknown[]) => void
type PinoLike = Readonly<Record<'debug' | 'info' | 'warn' | 'error', PinoMethod>>

const fromPino = (pino: PinoLike): Logger => ({
  debug: (message, fields = {}) => pino.debug(fields, message),
  info: (message, fields = {}) => pino.info(fields, message),
  warn: (message, fields = {}) => pino.warn(fields, message),
  error: (message, fields = {}) => pino.error(fields, message),
})

test('console is a logger, and one in whose calls fields come first becomes one', () => {
  const loggers: Logger[] = [console]
  const written: unknown[] = []
  const push: PinoMethod = (...line) => {
    written.push(line)
  }
  loggers.push(fromPino({ debug: push, info: push, warn: push, error: push }))
  loggers[1]?.warn('settling failed', { code: 'timeout' })
  loggers[1]?.info('settling works again')
  expect(written).toEqual([
    [{ code: 'timeout' }, 'settling failed'],
    [{}, 'settling works again'],
  ])
  expect(() => createBackend('sqlite', { databasePath: ':memory:', logger: console })).not.toThrow()
})
