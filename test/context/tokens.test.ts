import { describe, expect, test } from 'vitest'
import { ENCODINGS, pieces, TokenCounter } from '../../src/context/tokens.js'
import type { Tokenizer } from '../../src/contract/context.js'

describe('an encoding', () => {
  test('counts as its model does', async () => {
    // By the encodings' own tables: `hello world` is two tokens in both.
    for (const encoding of ENCODINGS) expect((await new TokenCounter(encoding).ready())('hello world')).toBe(2)
    expect((await new TokenCounter().ready())('')).toBe(0)
  })

  test('takes control tokens in a text as text', async () => {
    for (const encoding of ENCODINGS) {
      const count = await new TokenCounter(encoding).ready()
      for (const text of ['<|endoftext|>', '<|im_start|>system', '<|fim_prefix|>', '<|endofprompt|>'])
        expect(count(text)).toBeGreaterThan(3)
    }
  })

  test('counts a megabyte of anything in time that grows with its length', async () => {
    const count = await new TokenCounter().ready()
    for (const character of ['a', ' ', '\n', '-', '漢', '1', 'aB', '\u0301', '👩‍👧']) {
      const started = performance.now()
      expect(count(character.repeat(1_000_000 / character.length))).toBeGreaterThan(1000)
      // A quadratic count takes minutes.
      expect(performance.now() - started).toBeLessThan(10_000)
    }
  }, 120_000)
})

describe('pieces', () => {
  test('are the text, cut nowhere but in runs of one kind', () => {
    const prose = `${'The quick brown fox. '.repeat(100)}\n\n${'Größe: 12,5 m² — "¿qué?"\t'.repeat(50)}`
    expect(pieces(prose)).toEqual([prose])
    for (const text of ['a'.repeat(1000), `x ${' '.repeat(600)}y${'😀'.repeat(400)}`, '\r\n'.repeat(300)]) {
      expect(pieces(text).join('')).toBe(text)
      expect(pieces(text).length).toBeGreaterThan(1)
      expect(pieces(text).every((piece) => piece.isWellFormed())).toBe(true)
    }
  })

  test('of ordinary text count as the text does', async () => {
    const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base')
    const count = await new TokenCounter().ready()
    const prose = 'It was the best of times, it was the worst of times. '.repeat(100)
    expect(count(prose)).toBe(countTokens(prose))
    // A cut costs a token or so.
    const run = 'a'.repeat(3000)
    expect(Math.abs(count(run) - countTokens(run))).toBeLessThanOrEqual(Math.ceil(3000 / 256))
  })
})

describe('a tokenizer that was handed in', () => {
  const counting = (): Tokenizer & { asked: string[] } => {
    const asked: string[] = []
    return { name: 'mine', asked, count: (text) => asked.push(text) && text.length / 4 }
  }

  test('is asked for whole texts, once each, and rounded up', async () => {
    const mine = counting()
    const count = await new TokenCounter(mine).ready()
    const long = 'a'.repeat(5001)
    expect([count(long), count('abc'), count(long), count('abc')]).toEqual([1251, 1, 1251, 1])
    expect(mine.asked).toEqual([long, 'abc'])
  })

  test('is asked again for what was long ago: what is kept is bounded', async () => {
    const mine = counting()
    const count = await new TokenCounter(mine).ready()
    for (let i = 0; i < 60; i++) count(`${i} ${'a'.repeat(100_000)}`)
    mine.asked.length = 0
    count(`0 ${'a'.repeat(100_000)}`)
    count(`59 ${'a'.repeat(100_000)}`)
    expect(mine.asked).toHaveLength(1)
  })

  test('is blamed for what it throws and for what is no number of tokens', async () => {
    const wrong = [Number.NaN, -1, Number.POSITIVE_INFINITY, '3', null, undefined]
    for (const answer of wrong) {
      const count = await new TokenCounter({ name: 'x', count: () => answer as number }).ready()
      expect(() => count('text')).toThrow(/option tokenizer/)
    }
    const thrower = await new TokenCounter({
      name: 'x',
      count: () => {
        throw new Error('no')
      },
    }).ready()
    expect(() => thrower('text')).toThrow(/option tokenizer/)
  })
})
