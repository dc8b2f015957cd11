import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type LocalOptions, type LocalServer, openLocal } from '../../src/backends/chromadb/local.js'
import { bindingName } from '../../src/backends/chromadb/local-programs.js'

const ground = new URL('../ground/package.json', import.meta.url)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The native binding of the test ground. */
export const BINDING = createRequire(ground).resolve(bindingName())
/** The client's own program in the test ground. */
export const COMMAND = fileURLToPath(new URL('node_modules/.bin/chroma', ground))

export interface State {
  readonly pid: number
  readonly port: number
  readonly server: { readonly group: number; readonly port: number } | null
}

/** A folder for data, which is made by who opens it; what has been started for it ends with the test. */
export function freshFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), 'bruno-memory-chroma-'))
  onTestFinished(async () => {
    for (let round = 0; round < 100; round += 1) {
      const left = processesOf(parent)
      if (left.length === 0) break
      for (const { pid } of left) end(pid)
      await sleep(20)
    }
    rmSync(parent, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  })
  return join(parent, 'data in a földer ✓')
}

export async function open(folder: string, options: Partial<LocalOptions> = {}): Promise<LocalServer> {
  const server = await openLocal({ persistDirectory: folder, chromaCommand: BINDING, ...options })
  onTestFinished(() => server.close())
  return server
}

export const stateFile = (folder: string): string => join(folder, 'bruno-memory.json')

export const stateOf = (folder: string): State => JSON.parse(readFileSync(stateFile(folder), 'utf8')) as State

/** The living processes that have this text in their command line. */
export function processesOf(text: string): { readonly pid: number; readonly line: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return /^\d+$/.test(name) && line.includes(text) && Number(name) !== process.pid
        ? [{ pid: Number(name), line }]
        : []
    } catch {
      return []
    }
  })
}

export const keepersOf = (folder: string): number => processesOf(` keep ${folder}`).length
export const serversOf = (folder: string): number => processesOf(` run ${folder}`).length

/** Ends a process as a lack of memory does: it has no chance to tidy up. */
export function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

export async function eventually(holds: () => boolean, timeout: number): Promise<number> {
  const start = performance.now()
  while (!holds()) {
    if (performance.now() - start > timeout) throw new Error(`not within ${timeout} ms: ${holds}`)
    await sleep(20)
  }
  return performance.now() - start
}

/** Whether nothing runs for the folder any more, and nothing of ours lies in it. */
export const isLeft = (folder: string): boolean =>
  processesOf(folder).length === 0 &&
  (!existsSync(folder) || readdirSync(folder).every((name) => !name.startsWith('bruno-memory')))

export interface User {
  readonly process: ChildProcess
  /** Everything that it has printed so far. */
  readonly printed: Record<string, string | number>[]
  next(): Promise<Record<string, string | number>>
}

/** Another process that uses the folder. */
export function startUser(options: LocalOptions, mode: 'hold' | 'write' | 'leave', as: SpawnOptions = {}): User {
  const script = fileURLToPath(new URL('./local-user.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(options), mode], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...as,
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const printed: Record<string, string | number>[] = []
  let read = 0
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => printed.push(JSON.parse(line)))
  return {
    process: child,
    printed,
    next: async () => {
      await eventually(() => printed.length > read, 30_000)
      return printed[read++] as Record<string, string | number>
    },
  }
}
