// `npm run bench:transfer [-- --rows 300000 --rounds 3]`: SQLite to PostgreSQL against pgloader and psql's \copy of the same
// rows into the same tables, in turn, with medians; with the full-text index and without it. Build first: the package runs
// as users have it. pgloader comes from Debian, psql is the system's.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import postgres from 'postgres'
import { createBackend } from '../src/index.js'
import { fetchDebian } from '../test/ground/debian.js'
import { startServers } from '../test/ground/index.js'
import { median } from './bench/measure.js'
import { sentences } from './bench/sentences.js'
import { exportForCopy, exportForPgloader, INDEXES } from './bench/transfer-sides.js'

const run = promisify(execFile)
const { values } = parseArgs({ options: { rows: { type: 'string' }, rounds: { type: 'string' } } })
const rows = Number(values.rows ?? 300_000)
const rounds = Number(values.rounds ?? 3)
const PER_CONVERSATION = 100

const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-bench-'))
const path = join(folder, 'memory.db')
const servers = await startServers(['postgresql'])
const server = servers.urls.POSTGRESQL_URL ?? ''
const administered = postgres(server, { max: 1, onnotice: () => {} })

async function fill(): Promise<void> {
  await using memory = createBackend('sqlite', { databasePath: path, durability: 'process' })
  const text = sentences()
  for (let c = 0; c < rows / PER_CONVERSATION; c++) {
    const batch = Array.from({ length: PER_CONVERSATION }, (_, i) => ({
      role: i % 2 === 0 ? ('user' as const) : ('assistant' as const),
      content: text(),
      ...(i % 10 === 0 && { metadata: { n: i, topic: 'travel' } }),
    }))
    await memory.messages.append(`conversation ${c}`, batch, { userId: `user ${c % 1000}` })
  }
}

let made = 0
/** A database with our tables, with users and conversations where the other side moves messages alone. */
async function database(preloaded: boolean, search: boolean): Promise<string> {
  const name = `bench${made++}`
  await administered.unsafe(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  const memory = createBackend(url.href)
  await memory.connect()
  await memory.close()
  const sql = postgres(url.href, { max: 1 })
  if (!search) await sql.unsafe('drop index bruno_messages_search')
  await sql.end()
  if (preloaded) await ours(url.href, { kinds: ['user', 'conversation'], allowOmit: true })
  return url.href
}

interface Ours {
  readonly seconds: number
  readonly verify: number
  readonly rss: number
}

/** In a process of its own, as users have it. */
async function ours(url: string, wishes: object, verify = false): Promise<Ours> {
  const program = `
    import { transfer } from ${JSON.stringify(new URL('../dist/index.mjs', import.meta.url).href)}
    const ends = { from: { url: ${JSON.stringify(`sqlite:${path}`)} }, to: { url: ${JSON.stringify(url)} } }
    const began = performance.now()
    await transfer({ ...ends, ...${JSON.stringify(wishes)}, verify: false })
    const moved = performance.now()
    const rss = process.resourceUsage().maxRSS / 1024
    if (${verify}) await transfer({ ...ends, verifyOnly: true })
    console.log(JSON.stringify({ seconds: (moved - began) / 1000, verify: (performance.now() - moved) / 1000, rss }))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program])
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Ours
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

async function pgloader(root: string, source: string, url: string, tuned: boolean): Promise<number> {
  const load = join(folder, 'load')
  const options = tuned ? ', batch rows = 5000, prefetch rows = 5000' : ''
  writeFileSync(
    load,
    `load database from sqlite://${source} into ${url} with data only${options} cast type timestamptz to timestamptz, type jsonb to jsonb;\n`,
  )
  const libraries = `${root}/usr/lib/x86_64-linux-gnu:${root}/lib/x86_64-linux-gnu`
  const env = { ...process.env, LD_LIBRARY_PATH: libraries }
  const seconds = await timed(() => run(`${root}/usr/bin/pgloader`, ['--quiet', '--root-dir', folder, load], { env }))
  await isWhole(url)
  return seconds
}

async function isWhole(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 })
  const [found] = await sql.unsafe('select count(*)::int as n from bruno_messages')
  await sql.end()
  if (found?.n !== rows) throw new Error(`${found?.n} of ${rows} messages arrived`)
}

async function copied(file: string, url: string, search: boolean): Promise<number> {
  const indexes = INDEXES.filter(({ name }) => search || name !== 'bruno_messages_search')
  const sql = postgres(url, { max: 1 })
  for (const { drop } of indexes) await sql.unsafe(drop)
  await sql.end()
  const script = [
    `\\copy bruno_messages (${exportForCopy.columns}) from '${file}'`,
    ...indexes.map(({ create }) => `${create};`),
  ].join('\n')
  const seconds = await timed(async () => {
    const { status, stderr } = spawnSync('psql', [url, '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], { input: script })
    if (status !== 0) throw new Error(String(stderr))
  })
  await isWhole(url)
  return seconds
}

try {
  console.log(`${rows} messages, ${rounds} rounds`)
  await fill()
  const plain = await exportForPgloader(path, join(folder, 'plain.db'))
  const file = await exportForCopy(path, join(folder, 'messages.tsv'))
  const root = await fetchDebian(['pgloader'], 'usr/bin/pgloader')
  for (const search of [false, true]) {
    const times = { ours: [] as number[], pgloader: [] as number[], tuned: [] as number[], copy: [] as number[] }
    const verifies: number[] = []
    const peaks: number[] = []
    for (let round = 0; round < rounds; round++) {
      const own = await ours(await database(false, search), {}, true)
      times.ours.push(own.seconds)
      verifies.push(own.verify)
      peaks.push(own.rss)
      times.pgloader.push(await pgloader(root, plain, await database(true, search), false))
      times.tuned.push(await pgloader(root, plain, await database(true, search), true))
      times.copy.push(await copied(file, await database(true, search), search))
    }
    const mine = median(times.ours)
    const ratio = (other: readonly number[]): string =>
      `${(median(other) / mine).toFixed(2)}× (${median(other).toFixed(2)} s)`
    console.log(
      `\n${search ? 'with' : 'without'} the full-text index: ours ${mine.toFixed(2)} s, ${Math.round(rows / mine)} rows/s`,
    )
    console.log(
      `  against pgloader ${ratio(times.pgloader)}, tuned ${ratio(times.tuned)}, \\copy then indexes ${ratio(times.copy)}`,
    )
    console.log(
      `  verification ${(median(verifies) / mine).toFixed(2)} of the load (${median(verifies).toFixed(2)} s); peak memory ${Math.round(Math.max(...peaks))} MB`,
    )
  }
} finally {
  await administered.end()
  await servers.stop()
  rmSync(folder, { recursive: true, force: true })
}
