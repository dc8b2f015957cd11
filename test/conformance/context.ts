import { expect, it } from 'vitest'
import type { ContextQuery } from '../../src/contract/context.js'
import { costOf, WORDS, words } from './context-fixtures.js'
import { missing, refused } from './expecting.js'
import { ADA, answers, contentsOf, idsOf, instructs, numbered, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

const TOLD = ['users', 'conversations', 'messages'] as const

export function describeContext(harness: Harness): void {
  suite(harness, 'context: the conversation', TOLD, (ground) => {
    itKnowsWhere(ground)
    itKeepsTheNewest(ground)
    itPins(ground)
  })
  suite(harness, 'context: units', [...TOLD, 'atomicUnit'], itReadsWithinUnits)
  suite(harness, 'context: arguments', TOLD, itChecks)
}

function itKnowsWhere(ground: Ground): void {
  it('answers the user, the latest active session and the conversation', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['hello'])
    const first = ground.lacks('sessions') ? null : await memory.sessions.create({ userId: ADA })
    if (first) await memory.sessions.end((await memory.sessions.create({ userId: ADA, id: 'ended' })).id)
    const context = await memory.context({ userId: ADA, conversationId: 'c' })
    expect(context.user).toEqual(await memory.users.get(ADA))
    expect(context.conversation).toEqual(await memory.conversations.get('c'))
    expect(context.session).toEqual(first)
    expect(contentsOf(context.messages)).toEqual(['hello'])
    expect(context).toMatchObject({ memories: [], documents: [], truncated: false, degraded: false })
    expect(context.toLLM()).toEqual([{ role: 'user', content: 'hello' }])
    expect(await memory.getContext({ userId: ADA, conversationId: 'c' })).toMatchObject({
      tokens: context.tokens,
      messages: context.messages,
    })
  })

  it('needs no conversation', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: ADA })
    expect(await memory.context({ userId: ADA })).toMatchObject({ conversation: null, messages: [], tokens: 0 })
  })

  it('misses who and what is not there, or is another’s', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['mine'])
    await talk(memory, 'other', ['theirs'], 'bruno')
    await missing(memory.context({ userId: 'nobody' }), 'user')
    await missing(memory.context({ userId: ADA, conversationId: 'unknown' }), 'conversation')
    await missing(memory.context({ userId: ADA, conversationId: 'other' }), 'conversation')
    await missing(memory.forTenant('acme').context({ userId: ADA, conversationId: 'c' }), 'user')
    await memory.conversations.update('c', { expiresAt: new Date(ground.clock.now() + 1000) })
    ground.clock.set(ground.clock.now() + 2000)
    await missing(memory.context({ userId: ADA, conversationId: 'c' }), 'conversation')
  })
}

function itKeepsTheNewest(ground: Ground): void {
  const open = () => ground.open({ tokenizer: WORDS })
  const asked = (rest: Partial<ContextQuery> = {}): ContextQuery => ({ userId: ADA, conversationId: 'c', ...rest })

  it('drops the oldest turns, each as a whole', async () => {
    const memory = await open()
    await talk(memory, 'c', ['q1', answers('a1'), 'q2', answers('a2'), answers('a2b'), 'q3', answers('a3')])
    const all = costOf('q1', 'a1', 'q2', 'a2', 'a2b', 'q3', 'a3')
    expect(await memory.context(asked({ maxTokens: all }))).toMatchObject({ tokens: all, truncated: false })
    const less = await memory.context(asked({ maxTokens: all - 1 }))
    expect(contentsOf(less.messages)).toEqual(['q2', 'a2', 'a2b', 'q3', 'a3'])
    expect(less).toMatchObject({ tokens: costOf('q2', 'a2', 'a2b', 'q3', 'a3'), truncated: true })
    const half = await memory.context(asked({ maxTokens: less.tokens - 1 }))
    expect(contentsOf(half.messages)).toEqual(['q3', 'a3'])
    expect(contentsOf((await memory.context(asked({ maxMessages: 4 }))).messages)).toEqual(['q3', 'a3'])
    expect(contentsOf((await memory.context(asked({ maxMessages: 5 }))).messages)).toEqual(contentsOf(less.messages))
  })

  it('keeps the user’s message and the end of a newest turn that does not fit', async () => {
    const memory = await open()
    await talk(memory, 'c', ['old', 'ask', ...numbered(60, 'step').map((text) => answers(text))])
    const few = await memory.context(asked({ maxMessages: 3 }))
    expect(contentsOf(few.messages)).toEqual(['ask', 'step59', 'step60'])
    expect(few.truncated).toBe(true)
    expect(contentsOf((await memory.context(asked({ maxTokens: costOf('ask') }))).messages)).toEqual(['ask'])
    await talk(memory, 'c', ['next', answers('small'), answers(words(50)), answers('last')])
    const gapless = await memory.context(asked({ maxTokens: costOf('next', 'small', 'last') }))
    expect(contentsOf(gapless.messages)).toEqual(['next', 'last'])
  })

  it('keeps the end alone where the user’s newest message is too large', async () => {
    const memory = await open()
    await talk(memory, 'c', [words(100), answers('one'), answers('two')])
    const context = await memory.context(asked({ maxTokens: 50 }))
    expect(contentsOf(context.messages)).toEqual(['one', 'two'])
    expect(context.truncated).toBe(true)
    expect(await memory.context(asked({ maxTokens: 1 }))).toMatchObject({ messages: [], tokens: 0, truncated: true })
    expect(await memory.context(asked({ maxMessages: 0 }))).toMatchObject({ messages: [], truncated: true })
  })

  it('leaves out drafts and keeps what was aborted', async () => {
    const memory = await open()
    await talk(memory, 'c', [
      instructs('be nice', { status: 'draft' }),
      says('asked'),
      answers('half an', { status: 'aborted' }),
      says('writ', { status: 'draft' }),
    ])
    const { messages, truncated } = await memory.context(asked())
    expect(contentsOf(messages)).toEqual(['asked', 'half an'])
    expect(truncated).toBe(false)
  })

  it('reads a long conversation from its end', async () => {
    const memory = await open()
    const texts = numbered(330)
    await talk(memory, 'c', texts)
    expect(contentsOf((await memory.context(asked({ maxMessages: 120 }))).messages)).toEqual(texts.slice(-120))
    const all = await memory.context(asked({ maxMessages: 1000, maxTokens: 100_000 }))
    expect(contentsOf(all.messages)).toEqual(texts)
    expect(all.truncated).toBe(false)
  })
}

function itPins(ground: Ground): void {
  it('puts all system messages first, oldest first', async () => {
    const memory = await ground.open({ tokenizer: WORDS })
    await talk(memory, 'c', [instructs('first'), 'q1', answers('a1'), instructs('second'), 'q2'])
    const maxTokens = costOf('first', 'second', 'q2')
    const context = await memory.context({ userId: ADA, conversationId: 'c', maxTokens })
    expect(contentsOf(context.messages)).toEqual(['first', 'second', 'q2'])
    expect(context.toLLM().map(({ role }) => role)).toEqual(['system', 'system', 'user'])
  })

  it('keeps the newest system messages that fit beside the user’s newest message', async () => {
    const memory = await ground.open({ tokenizer: WORDS })
    await talk(memory, 'c', [instructs('first'), instructs('second'), instructs('third'), 'q1', 'q2'])
    const query = { userId: ADA, conversationId: 'c' }
    const two = await memory.context({ ...query, maxTokens: costOf('first', 'second', 'q2') + 1 })
    expect(contentsOf(two.messages)).toEqual(['second', 'third', 'q2'])
    expect(two.truncated).toBe(true)
    expect(contentsOf((await memory.context({ ...query, maxMessages: 2 })).messages)).toEqual(['third', 'q2'])
    // Room that is too small for a system message is not given to older turns: they would go again with more room.
    await talk(memory, 'c', [instructs(words(50)), 'q3'])
    expect(contentsOf((await memory.context({ ...query, maxTokens: 50 })).messages)).toEqual(['q3'])
  })
}

function itReadsWithinUnits(ground: Ground): void {
  it('sees what its unit wrote, and the unit alone sees it', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['before'])
    await memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', says('within'))
      const query = { userId: ADA, conversationId: 'c' }
      expect(contentsOf((await unit.context(query)).messages)).toEqual(['before', 'within'])
      expect(idsOf((await unit.getContext(query)).messages)).toHaveLength(2)
      await unit.unitOfWork(async (nested) => {
        expect((await nested.context(query)).messages).toHaveLength(2)
      })
      await refused(memory.context(query), 'validation', 'unitOfWork')
    })
  })
}

function itChecks(ground: Ground): void {
  it('refuses what is wrong before anything is read, by its name', async () => {
    const memory = await ground.open()
    const wrong: readonly (readonly [field: string, query: object])[] = [
      ['userId', {}],
      ['userId', { userId: '' }],
      ['conversationId', { conversationId: 7 }],
      ['text', { text: 7 }],
      ['vector', { vector: 'abc' }],
      ['vector', { vector: [] }],
      ['vector', { vector: [1, Number.NaN] }],
      ['mode', { mode: 'fuzzy' }],
      ['strategy', { strategy: 'toString' }],
      ['maxTokens', { maxTokens: 0 }],
      ['maxTokens', { maxTokens: 1.5 }],
      ['maxMessages', { maxMessages: 1001 }],
      ['maxMemories', { maxMemories: -1 }],
      ['maxDocuments', { maxDocuments: '5' }],
      ['namespaces', { namespaces: 'notes' }],
      ['namespaces[1]', { namespaces: ['notes', ''] }],
      ['maxToken', { maxToken: 5 }],
    ]
    for (const [field, query] of wrong) {
      const whole = field === 'userId' ? query : { userId: 'nobody', ...query }
      await refused(memory.context(whole as ContextQuery), 'validation', field)
    }
    await refused(memory.context(undefined as unknown as ContextQuery), 'validation', 'query')
    const { message } = await refused(memory.context({ userId: 'a', maxToken: 5 } as ContextQuery), 'validation')
    expect(message).toContain('maxTokens')
  })

  it('blames a tokenizer that does not count', async () => {
    for (const count of [() => Number.NaN, () => -1, () => Promise.resolve(1), () => JSON.parse('{')]) {
      const memory = await ground.open({ tokenizer: { name: 'broken', count: count as () => number } })
      await talk(memory, 'c', ['hello'])
      const error = await refused(memory.context({ userId: ADA, conversationId: 'c' }), 'configuration')
      expect(error.message).toContain('tokenizer')
    }
    await refused(() => ground.open({ tokenizer: 'o200k' as 'o200k_base' }), 'configuration')
  })
}
