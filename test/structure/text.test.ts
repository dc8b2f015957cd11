import { describe, expect, test } from 'vitest'
import { textFiles } from './sources.js'

const files = textFiles(
  'src',
  'schema',
  'scripts',
  'migrations',
  'examples',
  'test',
  'docs',
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'compose.yaml',
  'package.json',
  'drizzle.config.ts',
  'tsdown.config.ts',
  'vitest.config.ts',
).filter(({ path }) => /\.(ts|mts|cts|js|mjs|cjs|json|sql|md|ya?ml|txt)$/.test(path) && !/^examples\/sample/.test(path))

/** Lines that match, as `path:line text`. */
function lines(pattern: RegExp, among: RegExp = /./): string[] {
  return files
    .filter(({ path }) => among.test(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1} ${line.trim().slice(0, 100)}`] : [])),
    )
}

describe('the text of the project', () => {
  test('is all read', () => {
    expect(files.length).toBeGreaterThan(150)
  })

  test('names no folder of one machine', () => {
    expect(lines(/(?<![\w.)}\]*-])\/(work|workspace|Users|mnt)\/[\w.-]/)).toEqual([])
    expect(lines(/(?<![\w.)}\]*-])\/(home|root)\/[a-z][\w.-]*\//)).toEqual([])
    // Temporary files belong where the system says.
    expect(lines(/['"`]\/tmp\/\w/)).toEqual([])
  })

  test('speaks for itself: it refers to no issue by a number', () => {
    expect(lines(/\b(issue|ticket|pull request)s?\s+(no\.?\s*)?#?\d+\b/i)).toEqual([])
    expect(lines(/(^|[\s(])#\d+\b(?!\s*[;{,])/, /\.(ts|sql|md|ya?ml)$/)).toEqual([])
  })

  test('has no note of what is still to be done, and no mark of a merge', () => {
    expect(lines(/\b(TODO|FIXME|XXX|HACK)\b/, /^(src|schema|scripts|migrations)\//)).toEqual([])
    expect(lines(/^(<{7}|>{7}|={7})( |$)/)).toEqual([])
  })
})
