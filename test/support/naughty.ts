import { existsSync, readFileSync } from 'node:fs'
import { adversarialNames } from './names.js'

/** Texts that break what handles them carelessly, beside the names. Some are no legal text at all. */
const TEXTS = [
  '',
  '\0',
  'a\0b',
  '\ud800',
  'a\udc00',
  '\udc00\ud800',
  '\t',
  '\r\n',
  '\u0085',
  '\u001b[31mred',
  '\u0007',
  '\u202e txet',
  '\u2066\u2067\u2069',
  '\ufeff',
  '\ufffe\uffff',
  'z\u0351\u036b\u0343a\u0350\u036al\u033f\u0313g\u0334\u0326o',
  '\u{1f1e9}\u{1f1ea}',
  '\u{1f469}\u{1f3fd}\u200d\u{1f4bb}',
  '\u{10ffff}',
  '\ufdfd',
  '\u1f88',
  'NaN',
  'Infinity',
  '-0',
  '1e1000',
  '0x1F',
  '9007199254740993',
  '2020-01-01T00:00:00Z',
  '{"a": 1}',
  '[1, 2',
  '\\u0000',
  '\\x00',
  '%00',
  '%s%n%d',
  '#{1+1}',
  '{{1+1}}',
  '`id`',
  '$(id)',
  '| id',
  '<script>alert(1)</script>',
  '&lt;&amp;',
  '<!--',
  ']]>',
  '../../../etc/passwd',
  'file:///etc/passwd',
  "'; DROP TABLE users; --",
  "' UNION SELECT 1 --",
  '1; SELECT pg_sleep(1)',
  'a* OR b*',
  'NEAR(a b)',
  '"unclosed',
  '(((((',
  'AND OR NOT',
  'col:a',
  '^a',
  '-a +b',
  '~!@#$%^&*()_+',
  'EVAL "return 1" 0',
  '*1\r\n$4\r\nPING\r\n',
  '{slot}',
  'x'.repeat(600),
  '\u20ac'.repeat(300),
] as const

// In the sources, a longer list may lie beside the repository; a package that is installed looks nowhere.
const LIST = new URL('../../../shared/data/naughty-strings.json', import.meta.url)
const more = (): string[] =>
  import.meta.url.endsWith('/naughty.ts') && existsSync(LIST)
    ? (JSON.parse(readFileSync(LIST, 'utf8')) as string[])
    : []

/** Each of them once. */
export const naughtyStrings = (): readonly string[] => [...new Set([...TEXTS, ...adversarialNames(200), ...more()])]
