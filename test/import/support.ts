import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { type ImportOptions, type ImportReport, runImport } from '../../src/import/run.js'
import { openSource } from '../../src/import/source.js'
import type { Finding } from '../../src/import/tally.js'
import type { ImportFormat, ImportItem } from '../../src/import/types.js'
import { Checks } from '../../src/model/check.js'
import type { Message } from '../../src/model/records.js'
import { DEFAULT_LIMITS } from '../../src/options.js'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A memory in a file of its own, for one test. */
export function freshMemory(): Memory {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-import-'))
  folders.push(folder)
  return createBackend('sqlite', { databasePath: join(folder, 'memory.db'), durability: 'process' })
}

export async function* bytesOf(text: string | Buffer, size = 64 * 1024): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function itemsOf(items: AsyncIterable<ImportItem[]>): Promise<ImportItem[]> {
  const all: ImportItem[] = []
  for await (const some of items) all.push(...some)
  return all
}

let files = 0
/** Writes content to a file of its own. */
export async function fileOf(folder: string, content: unknown, name?: string): Promise<string> {
  const path = join(folder, name ?? `file-${files++}`)
  await writeFile(path, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content))
  return path
}

export const jsonLines = (...lines: readonly unknown[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('')

/** Imports files into a memory as the command does. */
export async function importInto(
  memory: Memory | null,
  paths: readonly string[],
  options: Partial<ImportOptions> & { format?: ImportFormat } = {},
): Promise<ImportReport & { findings: Finding[] }> {
  const { format, ...rest } = options
  const findings: Finding[] = []
  const report = await runImport({
    sources: await Promise.all(paths.map((path) => openSource(path, format))),
    memory: (tenant) => memory?.forTenant(tenant ?? 'default') ?? null,
    userId: 'default',
    checks: new Checks(DEFAULT_LIMITS),
    now: new Date(),
    onFinding: (finding) => findings.push(finding),
    ...rest,
  })
  return { ...report, findings }
}

export async function messagesOf(memory: Memory, conversationId: string): Promise<Message[]> {
  const messages: Message[] = []
  for await (const message of memory.messages.each(conversationId)) messages.push(message)
  return messages
}

/** Each kind's counts without the zeros. */
export const brief = ({ counts }: ImportReport): Record<string, Record<string, number>> =>
  Object.fromEntries(
    Object.entries(counts).map(([kind, c]) => [kind, Object.fromEntries(Object.entries(c).filter(([, n]) => n > 0))]),
  )
