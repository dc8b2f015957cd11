import { describe, expect, test } from 'vitest'
import type { StoredOperation, UnitScope } from '../../src/contract/backend.js'
import { ConnectionError } from '../../src/errors.js'
import { type RunUnit, runOnce } from '../../src/unit/operation.js'

/** A store of operations whose commits answer as they are told, one after the other. */
function store(outcomes: ('answered' | 'stored, unanswered' | 'lost' | 'unreachable')[]) {
  const stored = new Map<string, StoredOperation>()
  const unit: RunUnit = async (work) => {
    const outcome = outcomes.shift() ?? 'answered'
    if (outcome === 'unreachable') throw new ConnectionError('no server')
    const changed = new Map<string, StoredOperation>()
    const operations: UnitScope['operations'] = {
      claim: async (id, fingerprint) => {
        const before = stored.get(id)
        if (before) return before
        changed.set(id, { fingerprint, result: null, records: [] })
        return null
      },
      finish: async (id, result, records) => {
        changed.set(id, { fingerprint: changed.get(id)?.fingerprint ?? null, result, records })
      },
    }
    const result = await work({ operations } as unknown as UnitScope)
    if (outcome !== 'lost') for (const [id, row] of changed) stored.set(id, row)
    if (outcome !== 'answered') throw new ConnectionError('lost at commit', { outcome: 'unknown' })
    return result
  }
  return { unit, stored }
}

let runs = 0
const operation = {
  operationId: 'op',
  fingerprint: 'f',
  run: async () => ++runs,
  records: () => [],
  repeat: () => -1,
}

describe('an operation whose commit was not answered', () => {
  test('is answered as stored where it was, and did not run again', async () => {
    runs = 0
    const { unit } = store(['stored, unanswered'])
    expect(await runOnce(unit, operation)).toBe(1)
    expect(runs).toBe(1)
  })

  test('is known not to be stored where it was not, leaves no claim, and can be run again', async () => {
    runs = 0
    const { unit, stored } = store(['lost'])
    const error = await runOnce(unit, operation).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error).toMatchObject({ outcome: 'none', retryable: true })
    expect(stored.size).toBe(0)
    expect(await runOnce(unit, operation)).toBe(2)
    expect(await runOnce(unit, operation)).toBe(2)
  })

  test('is found out when the server comes back', async () => {
    runs = 0
    const { unit } = store(['stored, unanswered', 'unreachable', 'unreachable'])
    expect(await runOnce(unit, operation)).toBe(1)
  })

  test('stays unknown where it does not', async () => {
    const { unit } = store(['lost', ...Array.from({ length: 9 }, () => 'unreachable' as const)])
    await expect(runOnce(unit, operation)).rejects.toMatchObject({ outcome: 'unknown' })
  })

  test('a unit that was lost before its commit is not looked for', async () => {
    const { unit } = store(['unreachable'])
    await expect(runOnce(unit, operation)).rejects.toMatchObject({ outcome: 'none' })
  })
})
