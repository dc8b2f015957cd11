import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const folder = new URL('./in-memory/', import.meta.url)
const files = readdirSync(folder)

describe('the backend that is written as others would write theirs', () => {
  test('imports what the package exports, and nothing else', () => {
    const from = files.flatMap((file) =>
      [...readFileSync(new URL(file, folder), 'utf8').matchAll(/\bfrom '([^']+)'/g)].map((match) => match[1] as string),
    )
    const outside = new Set(from.filter((path) => !path.startsWith('./')))
    expect([...outside].sort()).toEqual(['../../../src/backend-kit.js', '../../../src/index.js'])
    expect(from.length).toBeGreaterThan(30)
  })
})
