import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { run } from '../../src/cli/program.js'
import type { Memory } from '../../src/contract/memory.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

/** A folder of its own for each test, gone after the file's tests. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-cli-'))
  folders.push(folder)
  return folder
}

class Sink extends Writable {
  readonly chunks: Buffer[] = []
  constructor(readonly isTTY: boolean) {
    super()
  }
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk))
    done()
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Buffer
}

/** Runs one command line in this process, as `bruno-memory` does. */
export async function cli(
  args: readonly string[],
  options: { env?: Record<string, string>; tty?: boolean } = {},
): Promise<Outcome> {
  const stdout = new Sink(options.tty === true)
  const stderr = new Sink(options.tty === true)
  const codes: number[] = []
  await run(args, { stdout, stderr, env: options.env ?? {}, setExitCode: (code) => codes.push(code) }, '0.0.0-test')
  if (codes.length !== 1) throw new Error(`the exit code was set ${codes.length} times`)
  return {
    code: codes[0] as number,
    stdout: stdout.bytes.toString(),
    stderr: stderr.bytes.toString(),
    bytes: stdout.bytes,
  }
}

/** The parsed output of a command with `--json`, which must print nothing else on standard output. */
export async function json<T>(args: readonly string[]): Promise<T & { code: number }> {
  const { code, stdout } = await cli([...args, '--json'])
  return { ...(JSON.parse(stdout) as T), code }
}

/** The same in a process of its own, which can be killed. */
export const spawnCli = (args: readonly string[], nodeArgs: readonly string[] = []): ChildProcess =>
  spawn(process.execPath, [...nodeArgs, '--import', 'tsx', join(root, 'src/cli/main.ts'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, BRUNO_MEMORY_URL: '', DATABASE_URL: '' },
  })

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** Opens the memory at a path for one look. */
export async function looking<T>(path: string, look: (memory: Memory) => Promise<T>): Promise<T> {
  const memory = createBackend(`sqlite:${path}`)
  try {
    return await look(memory)
  } finally {
    await memory.close()
  }
}

/** Everything that reads show of the default tenant, in a form that can be compared. */
export const contentOf = (path: string): Promise<unknown> =>
  looking(path, async (memory) => {
    const conversations: unknown[] = []
    for await (const { updatedAt: _, ...conversation } of memory.conversations.each()) {
      const messages = []
      for await (const { updatedAt: __, ...message } of memory.messages.each(conversation.id)) messages.push(message)
      conversations.push({ ...conversation, messages })
    }
    return conversations
  })

/** The sample files that come with the project. */
export const sample = ['conversations.json', 'messages.jsonl'].map((name) => join(root, 'examples/sample', name))
/** A memory that holds the sample conversations. */
export async function filled(): Promise<{ folder: string; url: string }> {
  const folder = await freshFolder()
  const url = join(folder, 'memory.db')
  await cli(['import', ...sample, '--url', url, '--user', 'ada'])
  return { folder, url }
}
