import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { sqlite } from './support.js'

/** Resolves everything but the package, as where it was never installed. */
const RESOLVE = `
export function resolve(specifier, context, next) {
  if (!specifier.startsWith('@opentelemetry/')) return next(specifier, context)
  throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' })
}`
const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`
const HOOK = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(RESOLVE))})`)

test('a memory works where the package is not installed, and the log says so to whoever asked for it', () => {
  const program = fileURLToPath(new URL('absent-program.ts', import.meta.url))
  const printed = execFileSync(process.execPath, ['--import', 'tsx', '--import', HOOK, program], { encoding: 'utf8' })
  const each = ['u', 1, { pending: 0, parked: 0 }]
  expect(JSON.parse(printed)).toEqual({
    outcome: 'ERR_MODULE_NOT_FOUND',
    found: [...each, ...each, ...each],
    lines: [['telemetry needs a package that is not installed: @opentelemetry/api']],
  })
})

test('a memory works where the package is installed and nothing was registered with it', async () => {
  const memory = sqlite({ telemetry: true })
  const made = await memory.unitOfWork((unit) => unit.users.create({ id: 'u' }))
  expect(made.id).toBe('u')
  expect(await memory.cache.getOrLoad('k', async () => 1)).toBe(1)
})
