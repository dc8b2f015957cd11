import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { freshStore, type Store } from './store.js'

/** One line of the child. */
export type Said =
  | { readonly conversation: string; readonly ids: readonly string[]; readonly memory?: string }
  | { readonly conversation: string; readonly deleting: string }
  | { readonly conversation: string; readonly deleted: string }

export interface KillRound {
  readonly script: string
  readonly durability: 'power' | 'process'
  /** How long it writes after its first acknowledgement, in milliseconds. */
  readonly after: number
}

export interface KillReport {
  /** Messages that were acknowledged before the kill, but for those deleted since. */
  readonly acknowledged: number
  /** Messages found after it. */
  readonly stored: number
  /** What is wrong, in words; empty when every promise held. */
  readonly problems: readonly string[]
}

interface Row {
  readonly conversation: string
  readonly id: string
  readonly position: number
}

/** Starts the writer, kills it, opens what it left and looks at every promise. */
export async function killRound(round: KillRound): Promise<KillReport> {
  await using store = freshStore()
  const said = await writeAndKill(store, round)
  const problems: string[] = []
  const memory = await store.open({ durability: round.durability })
  const client = new Database(store.path)
  try {
    const rows = client
      .prepare<[], Row>('select conversation_id as conversation, id, position from bruno_messages order by seq')
      .all()
    const expected = expectations(said)
    checkAcknowledged(expected, rows, problems)
    checkUnits(client, rows, problems)
    checkPositions(client, rows, problems)
    checkIntegrity(client, problems)
    for (const id of expected.there) {
      const hits = await memory.search({
        text: id.replaceAll('-', 'x'),
        kinds: ['message'],
        limit: 3,
        neighbours: false,
      })
      if (hits.length !== 1 || hits[0]?.record.id !== id) problems.push(`search finds ${hits.length} instead of ${id}`)
    }
    const last = Math.max(0, ...rows.filter((row) => row.conversation === 'batch').map((row) => row.position))
    const [next] = await memory.messages.append('batch', { role: 'user', content: 'on' }, { userId: 'ada' })
    if (!next || next.position <= last) problems.push('a position was given again')
    return { acknowledged: expected.there.size, stored: rows.length, problems }
  } finally {
    client.close()
  }
}

async function writeAndKill(store: Store, { script, durability, after }: KillRound): Promise<Said[]> {
  const child = spawn(process.execPath, [script, store.path, durability], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = text(child.stdout)
  const closed = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), closed])
  await sleep(after)
  child.kill('SIGKILL')
  const [code, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself, with code ${code}`)
  // A line without its end was cut by the kill: its write was not finished saying.
  const lines = (await output).split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Said)
}

interface Expectations {
  readonly there: ReadonlySet<string>
  readonly gone: ReadonlySet<string>
}

function expectations(said: readonly Said[]): Expectations {
  const there = new Set<string>()
  const gone = new Set<string>()
  for (const line of said) {
    if ('ids' in line) for (const id of line.ids) there.add(id)
    // Between the two it may be either.
    else if ('deleting' in line) there.delete(line.deleting)
    else gone.add(line.deleted)
  }
  return { there, gone }
}

function checkAcknowledged({ there, gone }: Expectations, rows: readonly Row[], problems: string[]): void {
  const times = new Map<string, number>()
  for (const { id } of rows) times.set(id, (times.get(id) ?? 0) + 1)
  for (const id of there) if (times.get(id) !== 1) problems.push(`${id} is there ${times.get(id) ?? 0} times`)
  for (const id of gone) if (times.has(id)) problems.push(`${id} was deleted and is there`)
}

function checkUnits(client: Database.Database, rows: readonly Row[], problems: string[]): void {
  const parts = new Map<string, number>()
  const count = (unit: string): void => void parts.set(unit, (parts.get(unit) ?? 0) + 1)
  for (const { id } of rows) {
    if (id.startsWith('never')) problems.push(`${id} of a failed inner unit is there`)
    if (id.startsWith('u-')) count(id.slice(0, id.lastIndexOf('-')))
  }
  for (const { id } of client.prepare<[], { id: string }>('select id from bruno_memories').all()) count(id)
  for (const [unit, n] of parts) if (n !== 6) problems.push(`${n} of 6 records of the unit ${unit} are there`)
  const batches = new Map<string, number>()
  for (const { id } of rows)
    if (id.startsWith('b-')) {
      const batch = id.slice(0, id.lastIndexOf('-'))
      batches.set(batch, (batches.get(batch) ?? 0) + 1)
    }
  for (const [batch, n] of batches) if (n !== 20) problems.push(`${n} of 20 messages of the batch ${batch} are there`)
}

function checkPositions(client: Database.Database, rows: readonly Row[], problems: string[]): void {
  const conversations = client
    .prepare<[], { id: string; count: number; last: number }>(
      'select id, message_count as count, last_position as last from bruno_conversations',
    )
    .all()
  for (const { id, count, last } of conversations) {
    const positions = rows.filter((row) => row.conversation === id).map((row) => row.position)
    if (positions.some((position, i) => i > 0 && position <= (positions[i - 1] ?? 0)))
      problems.push(`positions of ${id} do not increase`)
    if (count !== positions.length) problems.push(`${id} counts ${count} messages of ${positions.length}`)
    if (last < (positions.at(-1) ?? 0)) problems.push(`${id} has a position above its last`)
  }
}

function checkIntegrity(client: Database.Database, problems: string[]): void {
  const integrity = client.pragma('integrity_check', { simple: true })
  if (integrity !== 'ok') problems.push(`integrity_check: ${integrity}`)
  if ((client.pragma('foreign_key_check') as unknown[]).length > 0) problems.push('rows without their parent')
  for (const table of ['messages', 'memories', 'documents'].map((name) => `bruno_${name}_search`))
    try {
      // Rank 1: compared with the rows, not only with itself.
      client.prepare(`insert into ${table} (${table}, rank) values ('integrity-check', 1)`).run()
    } catch (error) {
      problems.push(`${table}: ${String(error)}`)
    }
}
