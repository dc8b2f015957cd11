import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { ADA, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeTextSearch(harness: Harness): void {
  suite(harness, 'text search: words', ['textSearch', 'memories'], (ground) => {
    itFindsWordForms(ground)
    itFindsOtherScripts(ground)
  })
  suite(harness, 'text search: hits', ['textSearch', 'messages', 'memories', 'documents'], (ground) => {
    itRanks(ground)
    itExplains(ground)
  })
  suite(harness, 'text search: neighbours', ['textSearch', 'messages'], itFindsByNeighbours)
}

/** Stores each text as a memory of the same importance; answers a search for their ids. */
async function stored(memory: Memory, texts: Readonly<Record<string, string>>) {
  await memory.memories.addMany(Object.entries(texts).map(([id, content]) => ({ id, userId: ADA, content })))
  return async (text: string): Promise<string[]> =>
    (await memory.search({ text, kinds: ['memory'] })).map((hit) => hit.record.id).sort()
}

function itFindsWordForms(ground: Ground): void {
  it('finds forms of a word, whatever the case and the punctuation', async () => {
    const memory = await ground.open()
    const find = await stored(memory, {
      move: 'I moved to Lisbon in May.',
      tea: 'Drinks green tea; never coffee!',
      cats: 'Has two cats (Ida & Otto).',
    })
    expect(await find('moving')).toEqual(['move'])
    expect(await find('moves?')).toEqual(['move'])
    expect(await find('LISBON')).toEqual(['move'])
    expect(await find('cat')).toEqual(['cats'])
    expect(await find('coffees, drinking')).toEqual(['tea'])
    expect(await find('otto')).toEqual(['cats'])
    expect(await find('zeppelin')).toEqual([])
  })

  it('any of the words finds, and more of them find better', async () => {
    const memory = await ground.open()
    await stored(memory, { one: 'a red house', both: 'a red bicycle', none: 'a green tree' })
    const hits = await memory.search({ text: 'where is the red bicycle of the mayor' })
    expect(hits.map((hit) => hit.record.id)).toEqual(['both', 'one'])
  })

  it('words of letters and digits, hyphens and apostrophes are found as they are written', async () => {
    const memory = await ground.open()
    const find = await stored(memory, {
      code: 'Flight TP1234 at 10:45',
      name: "O'Brien's well-known e-mail: a_b@example.org",
    })
    expect(await find('TP1234')).toEqual(['code'])
    expect(await find('tp1234')).toEqual(['code'])
    expect(await find("O'Brien")).toEqual(['name'])
    expect(await find('well-known')).toEqual(['name'])
    expect(await find('a_b@example.org')).toEqual(['name'])
    expect(await find('10:45')).toEqual(['code'])
  })

  it('uses the stemmer of the language that it was opened with', async () => {
    const memory = await ground.open({ language: 'german' })
    const find = await stored(memory, {
      cats: 'Die Katzen schliefen auf den warmen Steinen',
      house: 'Zwei H\u00e4user am See',
    })
    expect(await find('Katze')).toEqual(['cats'])
    expect(await find('warm')).toEqual(['cats'])
    expect(await find('Stein')).toEqual(['cats'])
    expect(await find('h\u00e4user')).toEqual(['house'])
    expect(await find('Haus')).toEqual(['house'])
  })
}

function itFindsOtherScripts(ground: Ground): void {
  it('finds parts of Chinese, Japanese and Korean texts, down to one character', async () => {
    const memory = await ground.open()
    const find = await stored(memory, {
      tokyo: '\u6771\u4eac\u90fd\u306b\u4f4f\u3093\u3067\u3044\u307e\u3059',
      beijing: '\u6211\u4f4f\u5728\u5317\u4eac\u5e02',
      seoul: '\uc11c\uc6b8\uc5d0 \uc0b4\uace0 \uc788\uc5b4\uc694',
      mixed: 'Meeting at \u6771\u4eac\u99c5 on Monday',
    })
    expect(await find('\u6771\u4eac')).toEqual(['mixed', 'tokyo'])
    expect(await find('\u4eac\u90fd')).toEqual(['tokyo'])
    expect(await find('\u5317\u4eac')).toEqual(['beijing'])
    expect(await find('\u4f4f')).toEqual(['beijing', 'tokyo'])
    expect(await find('\uc11c\uc6b8')).toEqual(['seoul'])
    expect(await find('\u99c5')).toEqual(['mixed'])
    expect(await find('meeting')).toEqual(['mixed'])
    expect(await find('\u732b')).toEqual([])
  })

  it('takes for equal what Unicode takes for compatible: width, ligatures, composition, case', async () => {
    const memory = await ground.open()
    const find = await stored(memory, {
      wide: '\uff2c\uff29\uff33\uff22\uff2f\uff2e',
      ligature: 'the of\ufb01ce',
      composed: 'caf\u00e9 r\u00e9sum\u00e9',
      decomposed: 'pin\u0303ata',
      greek: '\u0391\u0398\u0397\u039d\u0391',
    })
    expect(await find('lisbon')).toEqual(['wide'])
    expect(await find('office')).toEqual(['ligature'])
    expect(await find('cafe\u0301')).toEqual(['composed'])
    expect(await find('CAF\u00c9')).toEqual(['composed'])
    expect(await find('pi\u00f1ata')).toEqual(['decomposed'])
    expect(await find('\u03b1\u03b8\u03b7\u03bd\u03b1')).toEqual(['greek'])
  })

  it('finds words of right-to-left and combining scripts', async () => {
    const memory = await ground.open()
    const find = await stored(memory, {
      arabic: '\u0623\u0646\u0627 \u0623\u0639\u064a\u0634 \u0641\u064a \u0644\u0634\u0628\u0648\u0646\u0629',
      hindi:
        '\u092e\u0948\u0902 \u0932\u093f\u0938\u094d\u092c\u0928 \u092e\u0947\u0902 \u0930\u0939\u0924\u093e \u0939\u0942\u0901',
      russian: '\u042f \u0436\u0438\u0432\u0443 \u0432 \u041b\u0438\u0441\u0441\u0430\u0431\u043e\u043d\u0435',
    })
    expect(await find('\u0644\u0634\u0628\u0648\u0646\u0629')).toEqual(['arabic'])
    expect(await find('\u0932\u093f\u0938\u094d\u092c\u0928')).toEqual(['hindi'])
    expect(await find('\u041b\u0418\u0421\u0421\u0410\u0411\u041e\u041d\u0415')).toEqual(['russian'])
  })
}

async function seedKinds(memory: Memory): Promise<void> {
  await talk(memory, 'c', [says('lisbon in spring', { id: 'm' })])
  await memory.memories.add({ id: 'e', userId: ADA, content: 'lisbon lisbon lisbon' })
  await memory.documents.upsert({
    namespace: 'n',
    id: 'd',
    content: `a guide to lisbon ${'and other towns '.repeat(20)}`,
  })
}

function itRanks(ground: Ground): void {
  it('answers records of every kind as they are stored, best first, scores in [0, 1)', async () => {
    const memory = await ground.open()
    await seedKinds(memory)
    const hits = await memory.search({ text: 'lisbon' })
    expect(hits.map((hit) => hit.kind).sort()).toEqual(['document', 'memory', 'message'])
    for (const hit of hits) {
      if (hit.kind === 'message') expect(hit.record).toEqual(await memory.messages.get('c', 'm'))
      if (hit.kind === 'memory') expect(hit.record).toEqual(await memory.memories.get('e'))
      if (hit.kind === 'document') expect(hit.record).toEqual(await memory.documents.get('n', 'd'))
    }
    const scores = hits.map((hit) => hit.score)
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
    for (const score of scores) {
      expect(score).toBeGreaterThanOrEqual(0)
      expect(score).toBeLessThan(1)
    }
    expect(await memory.search({ text: 'lisbon' })).toEqual(hits)
  })

  it('ranks a rare word above a common one, and a short record above a long one', async () => {
    const memory = await ground.open()
    const texts = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`common${i}`, 'tea tea tea']))
    await stored(memory, {
      ...texts,
      rare: 'zeppelin and more and longer words',
      long: `zeppelin ${'something else entirely '.repeat(40)}`,
    })
    const hits = await memory.search({ text: 'tea zeppelin', limit: 40 })
    const place = (id: string) => hits.findIndex((hit) => hit.record.id === id)
    expect(place('rare')).toBe(0)
    expect(place('long')).toBeGreaterThan(place('rare'))
    expect(hits).toHaveLength(32)
  })

  it('answers ten at most where no limit is given', async () => {
    const memory = await ground.open()
    await stored(
      memory,
      Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`m${i}`, `lisbon ${'x '.repeat(i)}`])),
    )
    expect(await memory.search({ text: 'lisbon' })).toHaveLength(10)
    const all = await memory.search({ text: 'lisbon', limit: 1000 })
    expect(all).toHaveLength(15)
    expect(await memory.search({ text: 'lisbon', limit: 3 })).toEqual(all.slice(0, 3))
  })
}

function itExplains(ground: Ground): void {
  it('shows where a score comes from, only when asked', async () => {
    const memory = await ground.open()
    await seedKinds(memory)
    const plain = await memory.search({ text: 'the towns of Lisbon' })
    for (const hit of plain) expect(hit.explain).toBeUndefined()
    const explained = await memory.search({ text: 'the towns of Lisbon', explain: true })
    expect(explained.map(({ kind, record, score }) => ({ kind, record, score }))).toEqual(plain)
    for (const { explain } of explained) {
      expect(explain?.terms.length).toBeGreaterThan(0)
      expect(explain?.terms).not.toContain('the')
      expect(Number.isFinite(explain?.bm25)).toBe(true)
    }
  })
}

function itFindsByNeighbours(ground: Ground): void {
  async function seeded() {
    const memory = await ground.open()
    await talk(memory, 'c', [says('which town do you like', { id: 'q' }), says('lisbon, of course', { id: 'a' })])
    await talk(memory, 'c2', [says('nothing of the sort', { id: 'x' })])
    return { memory, ids: async () => (await memory.search({ text: 'lisbon' })).map((hit) => hit.record.id) }
  }
  ground.promise(
    'no-neighbour-words',
    "a message is also found by its neighbours' words, below their own message",
    async () => {
      const { memory, ids } = await seeded()
      expect(await ids()).toEqual(['a', 'q'])
      await memory.messages.delete('c', 'a')
      expect(await ids()).toEqual([])
    },
    async () => {
      const { ids } = await seeded()
      expect(await ids()).toEqual(['a'])
    },
  )
}
