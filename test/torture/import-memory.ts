/**
 * Imports one large ChatGPT export and says how much memory and time it took, then imports it again.
 *
 *     npx tsx test/torture/import-memory.ts [megabytes, default 1000]
 *
 * Exits with 1 above 300 MB, or where a count is wrong.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateExport } from '../import/generate.js'

const LIMIT = 300
const root = fileURLToPath(new URL('../..', import.meta.url))
const megabytes = Number(process.argv[2] ?? 1000)
const folder = await mkdtemp(join(tmpdir(), 'bruno-torture-'))

async function importOnce(file: string, database: string): Promise<{ peak: number; seconds: number; output: string }> {
  const peak = join(root, 'test/cli/peak.mjs')
  const args = [
    '--import',
    peak,
    '--import',
    'tsx',
    join(root, 'src/cli/main.ts'),
    'import',
    file,
    '--url',
    database,
    '--json',
  ]
  const started = performance.now()
  const child = spawn(process.execPath, args, { cwd: root })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  await new Promise((resolve) => child.once('close', resolve))
  const kilobytes = Number(/peak (\d+)/.exec(errors)?.[1])
  return { peak: kilobytes / 1024, seconds: (performance.now() - started) / 1000, output }
}

try {
  const file = join(folder, 'conversations.json')
  const made = await generateExport(file, megabytes)
  console.log(`${(made.bytes / 1e6).toFixed(0)} MB, ${made.conversations} conversations, ${made.messages} messages`)
  for (const outcome of ['imported', 'unchanged'] as const) {
    const { peak, seconds, output } = await importOnce(file, join(folder, 'memory.db'))
    const found = (JSON.parse(output) as { counts: { message: Record<string, number> } }).counts.message[outcome]
    const rate = made.bytes / 1e6 / seconds
    console.log(
      `${outcome}: ${found} messages in ${seconds.toFixed(1)} s (${rate.toFixed(1)} MB/s), peak ${peak.toFixed(0)} MB`,
    )
    if (found !== made.messages || !(peak < LIMIT)) process.exitCode = 1
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
