import type Database from 'better-sqlite3'
import { sql } from 'drizzle-orm/sql/sql'
import { LRUCache } from 'lru-cache'
import type { DistanceMetric } from '../../contract/embedder.js'
import { decodeVector, encodeVector, signBits } from '../../embeddings/vector.js'
import { type Look, type NearestSearch, perEngine, type SqlEngine, type VectorEngine } from '../sql/engine.js'
import { list, type Statement, value } from '../sql/statement.js'
import type { SqliteSession } from './session.js'
import { SignBits } from './sign-bits.js'

const FUNCTIONS: { readonly [M in DistanceMetric]: string } = {
  cosine: 'vec_distance_cosine',
  dot: 'bruno_distance_dot',
  euclidean: 'vec_distance_l2',
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** The same distances in JavaScript, for systems that the extension is not built for, such as Alpine. */
const DISTANCES: Readonly<Record<string, (a: Float32Array, b: Float32Array) => number>> = {
  vec_distance_cosine: (a, b) => 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
  vec_distance_l2: (a, b) => Math.sqrt(Math.max(0, dot(a, a) + dot(b, b) - 2 * dot(a, b))),
}

const BITS = Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)

function hamming(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += BITS[(a[i] as number) ^ (b[i] as number)] as number
  return sum
}

/** Distances as functions of the connection: those of `sqlite-vec`, or the same in JavaScript. */
export async function addVectorFunctions(clients: readonly Database.Database[], extension = true): Promise<boolean> {
  const native = extension && (await loadExtension(clients))
  for (const client of clients) {
    const define = (name: string, distance: (a: Float32Array, b: Float32Array) => number) =>
      client.function(name, { deterministic: true }, (a: unknown, b: unknown) =>
        Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.length === b.length
          ? finite(distance(decodeVector(a), decodeVector(b)))
          : null,
      )
    define('bruno_distance_dot', (a, b) => -dot(a, b))
    if (native) continue
    for (const [name, distance] of Object.entries(DISTANCES)) define(name, distance)
    client.function('vec_bit', { deterministic: true }, (bits: unknown) => bits as Buffer)
    client.function('vec_distance_hamming', { deterministic: true }, (a: unknown, b: unknown) =>
      hamming(a as Buffer, b as Buffer),
    )
  }
  return native
}

const finite = (distance: number): number | null => (Number.isFinite(distance) ? distance : null)

async function loadExtension(clients: readonly Database.Database[]): Promise<boolean> {
  try {
    const { getLoadablePath } = await import('sqlite-vec')
    const path = getLoadablePath()
    for (const client of clients) client.loadExtension(path)
    return true
  } catch {
    // Not built for this system, or built against another C library: JavaScript does the same, slower.
    return false
  }
}

/** Vectors in SQLite: the table of embeddings searched itself, after a look over their sign bits where they are many. */
export function sqliteVectors(engineOf: () => SqlEngine): VectorEngine {
  const rowsOf = ({ table }: NearestSearch) => engineOf().tables[table]
  const column = sql`e.vector`
  const distance: VectorEngine['distance'] = (metric) =>
    // One damaged row must not fail a whole search: a vector of another length has no distance.
    sql`case when length(${column}) = ${value('bytes')} then ${sql.raw(FUNCTIONS[metric])}(${column}, ${value('vector')}) end`
  const joined = (search: NearestSearch) =>
    sql`cross join ${rowsOf(search)} on ${rowsOf(search).seq} = e.record_seq
      ${search.join ? sql`cross join ${search.join.table} on ${search.join.on}` : sql``}`
  const nearest = sql`order by d nulls last limit ${value('candidates')}`
  return {
    rows: sql`bruno_embeddings as e`,
    encode: encodeVector,
    distance,
    exact(search) {
      const { selection, where, range, plain, metric } = search
      const d = distance(metric)
      if (!plain)
        return sql`select ${list(selection)}, ${d} as d from bruno_embeddings as e ${joined(search)} where ${range} and ${where} ${nearest}`
      return sql`select ${list(selection)}, e.d as d from (select e.record_seq, ${d} as d from bruno_embeddings as e where ${range} ${nearest}) as e
        ${joined(search)} where ${where} order by d nulls last`
    },
    quick(search) {
      const { selection, where, plain, metric } = search
      if (metric !== 'cosine') return null
      const filter = plain
        ? sql`where b.part = ${value('part')}`
        : sql`cross join ${rowsOf(search)} on ${rowsOf(search).seq} = b.record_seq
          ${search.join ? sql`cross join ${search.join.table} on ${search.join.on}` : sql``} where b.part = ${value('part')} and ${where}`
      return sql`with first(seq) as materialized (select b.seq from bruno_embedding_bits as b ${filter}
          order by vec_distance_hamming(vec_bit(b.bits), vec_bit(${value('bits')})) limit ${value('first')})
        select ${list(selection)}, ${distance(metric)} as d from first cross join bruno_embeddings as e on e.seq = first.seq
          ${joined(search)} where ${where} ${nearest}`
    },
    listed(search) {
      const { selection, where, metric, plain } = search
      const d = distance(metric)
      const looked = sql`${engineOf().conditions.rows('looked', { seq: 'integer' })} as first cross join bruno_embeddings as e on e.seq = first.seq`
      if (!plain)
        return sql`select ${list(selection)}, ${d} as d from ${looked} ${joined(search)} where ${where} ${nearest}`
      return sql`select ${list(selection)}, e.d as d from (select e.record_seq, ${d} as d from ${looked} ${nearest}) as e
        ${joined(search)} where ${where} order by d nulls last`
    },
    look: (session, part, vector, n) => looks(engineOf()).look(session as SqliteSession, part, vector, n),
    quickValues: (vector) => ({ bits: signBits(vector) }),
    async index(session, { part, seq, recordSeq, vector }) {
      const bits = signBits(vector)
      if (bits) await session.run(keepBits(engineOf()), { part, seq, recordSeq, bits })
    },
  }
}

/** Bytes of sign bits that a store keeps in memory. */
const KEPT = 64 * 1024 * 1024

/** The sign bits of the parts that are searched, brought up to what was committed at each look. */
class Looks {
  readonly #parts = new LRUCache<number, SignBits>({ maxSize: KEPT, sizeCalculation: (bits) => bits.size + 100 })
  readonly #newer: Statement<{ seq: number; bits: Buffer }>

  constructor(readonly engine: SqlEngine) {
    const selection = {
      seq: { sql: sql`b.seq`, decode: Number },
      bits: { sql: sql`b.bits`, decode: (value: unknown) => value as Buffer },
    }
    this.#newer = engine.statement(
      selection,
      () =>
        sql`select b.seq, b.bits from bruno_embedding_bits as b where b.part = ${value('part')} and b.seq > ${value('last')} order by b.seq`,
    )
  }

  async look(session: SqliteSession, part: number, vector: Float32Array, n: number): Promise<Look | null> {
    const question = signBits(vector)
    // Inside a transaction rows may be seen that are taken back, and their numbers are given again.
    if (!question || session.access !== 'read') return null
    const bits = this.#parts.get(part) ?? new SignBits(question.length)
    if (bits.bytes !== question.length) return null
    const before = bits.size
    for (const row of session.all(this.#newer, { part, last: bits.last })) bits.add(row.seq, row.bits)
    if (bits.size > KEPT) return null
    if (bits.size !== before) this.#parts.set(part, bits)
    const seqs = bits.nearest(question, n)
    return { seqs, all: seqs.length === bits.count }
  }
}
const looks = perEngine((engine) => new Looks(engine))

const kept = new WeakMap<SqlEngine, ReturnType<SqlEngine['command']>>()
function keepBits(engine: SqlEngine): ReturnType<SqlEngine['command']> {
  let statement = kept.get(engine)
  if (!statement) {
    statement = engine.command(
      () =>
        sql`insert into bruno_embedding_bits (part, seq, record_seq, bits) values (${value('part')}, ${value('seq')}, ${value('recordSeq')}, ${value('bits')})
          on conflict (part, seq) do update set record_seq = excluded.record_seq, bits = excluded.bits`,
    )
    kept.set(engine, statement)
  }
  return statement
}
