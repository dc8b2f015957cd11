import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { build } from 'tsdown'
import type { UpReport } from '../../../src/migrate/migrator.js'
import { repository } from './workspace.js'

export type StarterReport = Partial<UpReport> & { readonly error?: string }

export interface Starters extends Disposable {
  /** Starts so many processes and lets them migrate at the same moment; null for one that died. */
  run(url: string, count: number, killAfter?: number): Promise<(StarterReport | null)[]>
}

/** Built once: a process from TypeScript sources takes half a second to come up, and hundreds are started. */
export async function buildStarters(): Promise<Starters> {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-starter-'))
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))
  await build({
    entry: [join(repository, 'test', 'migrate', 'support', 'starter.ts')],
    outDir: folder,
    config: false,
    clean: false,
    dts: false,
    format: 'esm',
    logLevel: 'error',
    external: ['better-sqlite3', 'postgres'],
  })
  const script = join(folder, 'starter.mjs')
  return {
    run: async (url, count, killAfter = 0) => {
      const children = Array.from({ length: count }, () => new Starter(script, url, killAfter))
      await Promise.all(children.map((c) => c.ready))
      for (const c of children) c.go()
      return Promise.all(children.map((c) => c.report))
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

class Starter {
  readonly ready: Promise<unknown>
  readonly report: Promise<StarterReport | null>
  readonly #child: ChildProcessByStdio<Writable, Readable, null>

  constructor(script: string, url: string, killAfter: number) {
    this.#child = spawn(process.execPath, [script, url, String(killAfter)], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines: string[] = []
    const reader = createInterface(this.#child.stdout).on('line', (line) => lines.push(line))
    this.ready = once(reader, 'line')
    this.report = once(this.#child, 'close').then(() => (lines[1] ? (JSON.parse(lines[1]) as StarterReport) : null))
  }

  go(): void {
    this.#child.stdin.write('go\n')
  }
}
