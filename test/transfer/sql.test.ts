import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { transfer } from '../../src/run-transfer.js'
import { type End, type EndName, freshEnd } from './support/ends.js'
import { contentOf, fillSqlite } from './support/fixture.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

async function content(url: string) {
  await using memory = createBackend(url)
  return await contentOf(memory)
}

describe('everything in SQLite', () => {
  for (const name of ['sqlite', 'postgresql'] as const)
    test(`is the same in ${name}, and back`, async () => {
      const [first, second, third] = [await end('sqlite'), await end(name), await end('sqlite')]
      await fillSqlite(first.url, 40)
      const there = await transfer({ from: first, to: second })
      expect(there.verified).toMatchObject({ equal: true, different: 0 })
      expect(there.quarantinedCount).toBe(0)
      expect(await content(second.url)).toEqual(await content(first.url))
      const back = await transfer({ from: second, to: third })
      expect(back.verified).toMatchObject({ equal: true, different: 0 })
      expect(await content(third.url)).toEqual(await content(first.url))
      const again = await transfer({ from: first, to: third, verifyOnly: true })
      expect(again.verified?.digests).toEqual(there.verified?.digests)
    })
})
