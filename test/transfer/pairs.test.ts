import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import type { TransferOptions, TransferReport } from '../../src/contract/transfer-plan.js'
import { transfer } from '../../src/run-transfer.js'
import { type End, type EndName, freshEnd, PAIRS } from './support/ends.js'
import { fillSqlite } from './support/fixture.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

const jobs = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'bruno-memory-jobs-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const HOLDS_VECTORS: readonly EndName[] = ['qdrant', 'chromadb']

/** Vectors that a source has none of are made by the target's own model. */
function wishes(from: EndName, to: EndName): Partial<TransferOptions> {
  const remade = from === 'redis' && HOLDS_VECTORS.includes(to)
  return { allowOmit: true, jobs: jobs(), limits: { records: 17 }, ...(remade && { reembed: true }) }
}

const optionsOf = (from: EndName, to: EndName): Record<string, unknown> =>
  from === 'redis' && HOLDS_VECTORS.includes(to) ? { embeddingFunction: 'offline' } : {}

/** A source of a kind, with everything that it can hold. */
async function filled(name: EndName): Promise<End> {
  const first = await end('sqlite')
  await fillSqlite(first.url, 12)
  if (name === 'sqlite') return first
  const source = await end(name)
  await transfer({ from: first, to: source, allowOmit: true, jobs: jobs() })
  return source
}

const isSame = (report: TransferReport): void => {
  expect(report.quarantined).toEqual([])
  expect(report.verified).toMatchObject({ equal: true, different: 0, unreadable: 0 })
  expect(Object.values(report.copied).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(50)
  expect(report.sourceChanged).toBe(false)
}

for (const [from, to] of PAIRS)
  test(`everything that ${to} can hold of ${from} is the same there, and back`, { timeout: 90_000 }, async () => {
    const [source, target, back] = [await filled(from), await end(to), await end(from)]
    const there = await transfer({ from: source, to: { ...target, options: optionsOf(from, to) }, ...wishes(from, to) })
    isSame(there)
    if (to === 'redis') {
      // What Redis keeps no vectors of cannot go back to a store that finds by nothing else.
      if (HOLDS_VECTORS.includes(from)) return
    }
    const again = await transfer({ from: target, to: back, ...wishes(to, from), kinds: there.plan.scope.kinds })
    isSame(again)

    for (const kind of there.plan.scope.kinds)
      expect(again.verified?.counts[kind]?.target).toBe(there.verified?.counts[kind]?.source)
  })
