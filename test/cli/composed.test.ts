import { afterAll, describe, expect, test } from 'vitest'
import { cacheUrl, opened, PRIMARIES, SEMANTIC, vectorOf } from '../composed/composition.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { cli } from './support.js'

afterAll(returnDatabases)

async function parts(primary: string, semantic = 'qdrant') {
  return {
    primary: await (PRIMARIES[primary] as () => Promise<string>)(),
    semantic: (SEMANTIC[semantic] as () => string)(),
    cache: cacheUrl(),
  }
}

const flags = ({ primary, semantic, cache }: Awaited<ReturnType<typeof parts>>): string[] => [
  '--url',
  primary,
  '--semantic',
  semantic,
  '--cache',
  cache,
]

const memories = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({
    id: `e${from + i}`,
    userId: 'ada',
    type: 'fact' as const,
    content: `secret ${from + i}`,
    vector: vectorOf(from + i),
  }))

describe.each(Object.keys(PRIMARIES))('the commands of a memory of several backends, on %s', (primary) => {
  test('settle what programs leave to them, say how far they are, and forget who follows no more', async () => {
    const names = await parts(primary)
    const memory = await opened({ ...names, settle: 'off' })
    await memory.memories.addMany(memories(0, 40))
    const status = await cli(['settle', '--status', ...flags(names), '--json'])
    expect(status.code, status.stderr).toBe(0)
    const before = JSON.parse(status.stdout).followers as { follower: string; depth: number }[]
    expect(before.find(({ follower }) => follower === 'semantic')?.depth).toBe(40)
    const settled = await cli(['settle', ...flags(names)])
    expect([settled.code, settled.stderr]).toEqual([0, ''])
    expect(settled.stdout).toMatch(/semantic\s+active\s+0 to be told/)
    expect(await memory.verify()).toMatchObject({ expected: 40, found: 40, missing: 0 })
    await memory.close()
    const gone = await cli(['settle', '--unfollow', 'cache', ...flags(names)])
    expect([gone.code, gone.stdout, gone.stderr]).toEqual([0, expect.not.stringMatching(/cache/), ''])
    // A look at who follows makes nobody follow.
    const looked = await cli(['settle', '--status', ...flags(names)])
    expect(looked.stdout).toMatch(/^semantic\s+active[^\n]*\n$/)
    const none = await cli(['settle', '--unfollow', 'semantic', ...flags(names)])
    expect(none.stdout).toBe('nobody follows this memory\n')
  })

  test('verify names what differs, and repair mends it', async () => {
    const names = await parts(primary, 'chromadb')
    const memory = await opened(names)
    await memory.memories.addMany(memories(0, 30))
    await memory.settle()
    await memory.close()
    const stranger = await opened({ ...names, primary: await (PRIMARIES[primary] as () => Promise<string>)() })
    await stranger.memories.addMany(memories(100, 103))
    await stranger.settle()
    await stranger.close()
    const to = flags(names).slice(0, 4)
    const found = await cli(['verify', ...to])
    expect(found.code).toBe(1)
    expect(found.stdout).toMatch(/30 records have a vector, 33 are in the semantic store/)
    expect(found.stdout).toMatch(/3 should not be there:\n(.*memory \["default","e10\d"\]\n?){3}/)
    expect(`${found.stdout}${found.stderr}`).not.toContain('secret')
    const repaired = await cli(['repair', ...to, '--json'])
    expect([repaired.code, JSON.parse(repaired.stdout)]).toEqual([0, expect.objectContaining({ repaired: 3, left: 0 })])
    expect((await cli(['verify', ...to])).stdout).toMatch(/nothing differs/)
  })

  test('reembed asks what it will cost, and puts another model to use', async () => {
    const names = await parts(primary)
    const memory = await opened(names)
    await memory.memories.addMany(memories(0, 5))
    await memory.settle()
    await memory.close()
    const to = [...flags(names).slice(0, 4), '--embeddings', 'offline']
    const plan = await cli(['reembed', ...to, '--dry-run'])
    expect([plan.code, plan.stdout]).toEqual([
      0,
      expect.stringMatching(/^5 of 5 records to embed, about \d+ tokens\n$/),
    ])
    const made = await cli(['reembed', ...to, '--drop-old', '--json'])
    expect(made.code, made.stderr).toBe(0)
    expect(JSON.parse(made.stdout)).toMatchObject({ vectors: 5, generation: 2, dropped: true })
    const next = await opened({ ...names, embeddingFunction: 'offline', embeddingDimensions: 512 })
    expect(await next.search({ text: 'secret 3', mode: 'vector', limit: 5 })).toHaveLength(5)
  })
})

test('what is missing or wrong is said in one line, without secrets', async () => {
  const names = await parts('sqlite')
  const there = await parts('sqlite')
  await (await opened(there)).close()
  for (const [args, code, said] of [
    [['settle', '--url', names.primary], 2, /name who follows the memory/],
    [['verify', '--url', names.primary], 2, /name the semantic store/],
    [['settle', '--url', names.primary, '--semantic', names.semantic], 1, /there is no memory/],
    [['verify', '--url', there.primary, '--semantic', 'redis://:pass-word@127.0.0.1'], 2, /option semantic: redis/],
  ] as const) {
    const answer = await cli([...args])
    expect([answer.code, answer.stderr], args.join(' ')).toEqual([code, expect.stringMatching(said)])
    expect(answer.stderr.trim().split('\n')).toHaveLength(1)
    expect(answer.stderr).not.toContain('pass-word')
  }
})
