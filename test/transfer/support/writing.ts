import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createBackend } from '../../../src/index.js'

export interface Writers {
  readonly stored: Map<string, string | null>
  readonly took: number[]
  readonly failed: string[]
  readonly moved: () => number
  end(): Promise<void>
}

/** Writers in a process of their own. */
export function writers(primary: string, movingTo: string, name: string, count = 4): Writers {
  const script = fileURLToPath(new URL('./writers.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, primary, movingTo, name, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const stored = new Map<string, string | null>()
  const took: number[] = []
  const failed: string[] = []
  let moved = 0
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line)
    if (said.kind) stored.set(`${said.kind} ${said.id}`, said.content)
    else if (said.took !== undefined) took.push(said.took)
    else if (said.moved) moved++
    else failed.push(said.failed)
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  return {
    stored,
    took,
    failed,
    moved: () => moved,
    end: () => {
      child.stdin.end()
      return ended
    },
  }
}

export const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 600 && !condition(); i++) await sleep(50)
  if (!condition()) throw new Error('it took too long')
}

/** Everything that is there of what writers write. */
export async function contentOf(url: string): Promise<Map<string, string>> {
  await using memory = createBackend(url)
  const found = new Map<string, string>()
  for await (const conversation of memory.conversations.each())
    for await (const { id, content } of memory.messages.each(conversation.id))
      found.set(`message ${conversation.id}/${id}`, content)
  for await (const { id, content } of memory.memories.each()) found.set(`memory ${id}`, content)
  return found
}

/** What was stored and is not there, and what is there and was not stored or deleted. */
export function differencesOf(found: ReadonlyMap<string, string>, all: readonly Writers[]) {
  const expected = new Map<string, string>()
  for (const { stored } of all) for (const [key, content] of stored) if (content !== null) expected.set(key, content)
  const lost = [...expected].filter(([key, content]) => found.get(key) !== content)
  const risen = [...found.keys()].filter((key) => !expected.has(key) && !key.startsWith('message old '))
  return { lost, risen }
}

export async function fill(url: string): Promise<void> {
  await using memory = createBackend(url)
  for (let c = 0; c < 10; c++)
    await memory.messages.append(
      `old ${c}`,
      Array.from({ length: 50 }, (_, n) => ({ id: `m${n}`, role: 'user' as const, content: `old words ${c} ${n}` })),
      { userId: 'ada' },
    )
}
