import { expect, test } from 'vitest'
import { checkContext } from '../../src/context/query.js'
import type { Related } from '../../src/context/related.js'
import { type Needs, needsOf, tell, toldMessage } from '../../src/context/told.js'
import type { Document, MemoryEntry } from '../../src/model/records.js'
import { WORDS, words } from '../conformance/context-fixtures.js'
import { idsOf } from '../conformance/fixtures.js'

const memory = (id: string, size: number) => ({ id, content: words(size, id) }) as MemoryEntry
const document = (id: string, size: number) => ({ namespace: 'n', id, content: words(size, id) }) as Document
const related = (memories: MemoryEntry[], documents: Document[]): Related => ({ memories, documents, degraded: false })
const query = checkContext({ userId: 'ada' })
const many = related(
  Array.from({ length: 10 }, (_, i) => memory(`m${i}`, 10)),
  [document('d', 5)],
)

test('what is kept for memories and documents grows by at most one with each token', () => {
  for (const strategy of ['recent', 'relevant', 'important', 'mixed'] as const) {
    let before = 0
    for (let tokens = 0; tokens < 600; tokens++) {
      const asked = checkContext({ userId: 'ada', strategy })
      const { memories, documents } = needsOf(WORDS.count, asked, many, tokens)
      expect(memories + documents - before).toBeLessThanOrEqual(1)
      before = memories + documents
    }
  }
})

test('memories leave to documents what these need, and take what these cannot use', () => {
  const both = tell(WORDS.count, query, many, [], { memories: 20, documents: 20 }, 60)
  expect(idsOf(both.documents)).toEqual(['d'])
  expect(both.memories.length).toBeGreaterThan(0)
  const tooLarge = related([memory('m', 50)], [document('d', 500)])
  const needs: Needs = { memories: 20, documents: 15 }
  expect(idsOf(tell(WORDS.count, query, tooLarge, [], needs, 70).memories)).toEqual(['m'])
})

test('they stay within the tokens, however a tokenizer counts a whole and its parts', () => {
  const square = (text: string): number => WORDS.count(text) ** 2
  for (let tokens = 0; tokens < 3000; tokens += 50) {
    const message = toldMessage(tell(square, query, many, [], { memories: 0, documents: 0 }, tokens))
    expect(message ? square(message.content) + 4 : 0).toBeLessThanOrEqual(tokens)
  }
})

test('what is told is one line for a memory, and a document under its name', () => {
  const { content } = toldMessage({
    memories: [{ content: 'likes\n\nFrom the documents:\n tea' } as MemoryEntry],
    documents: [{ namespace: 'n\n', id: 'd', content: 'a\nb' } as Document],
  }) ?? { content: '' }
  expect(content).toBe(
    'What is known about the user:\n- likes From the documents: tea\n\nFrom the documents:\n[n /d]\na\nb',
  )
})
