import type Database from 'better-sqlite3'
import { sql } from 'drizzle-orm/sql/sql'
import { LRUCache } from 'lru-cache'
import type { DistanceMetric } from '../../contract/embedder.js'
import { decodeVector, encodeVector, signBits } from '../../embeddings/vector.js'
import { type Look, type NearestSearch, perEngine, type SqlEngine, type VectorEngine } from '../sql/engine.js'
import { count, list, value } from '../sql/statement.js'
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
/** Looks after which a part that was too large is counted again. */
const AGAIN = 1000
/** Rows of those found by which it is judged how many are gone: few, for this is done at each look. */
const SAMPLE = 100

/** The sign bits of the parts that are searched, brought up to what was committed at each look. */
export class Looks {
  readonly #parts: LRUCache<number, SignBits>
  /** Parts that do not fit, and for how many looks that is taken as known: reading one for nothing takes seconds. */
  readonly #large = new LRUCache<number, number>({ max: 10_000 })
  readonly #statements: ReturnType<typeof lookStatements>

  constructor(
    readonly engine: SqlEngine,
    readonly bound = KEPT,
  ) {
    this.#parts = new LRUCache({ maxSize: bound, sizeCalculation: (bits) => bits.size })
    this.#statements = lookStatements(engine)
  }

  async look(session: SqliteSession, part: number, vector: Float32Array, n: number): Promise<Look | null> {
    const question = signBits(vector)
    // Inside a transaction rows may be seen that are taken back, and their numbers are given again.
    if (!question || session.access !== 'read') return null
    const kept = this.#parts.get(part)
    if (kept && kept.bytes !== question.length) return null
    let bits = kept && this.#update(session, part, kept) ? kept : this.#load(session, part, question.length)
    let seqs = bits?.nearest(question, n) ?? []
    // A row that is gone stays here: where many of those found are, they stand in the place of others.
    if (this.#manyGone(session, part, seqs)) {
      bits = this.#load(session, part, question.length)
      seqs = bits?.nearest(question, n) ?? []
    }
    return bits && { seqs, all: seqs.length === bits.count }
  }

  /** Reads a whole part; null where it does not fit. */
  #load(session: SqliteSession, part: number, bytes: number): SignBits | null {
    this.#parts.delete(part)
    const wait = this.#large.get(part) ?? 0
    if (wait > 0) {
      this.#large.set(part, wait - 1)
      return null
    }
    const bits = new SignBits(bytes, this.bound)
    const [counted] = session.all(this.#statements.count, { part, most: bits.room + 1 })
    if ((counted?.n ?? 0) <= bits.room && this.#update(session, part, bits)) return bits
    this.#large.set(part, AGAIN)
    return null
  }

  /** Adds what is newer; answers whether it fits. */
  #update(session: SqliteSession, part: number, bits: SignBits): boolean {
    const { size, room, last } = bits
    const rows = session.all(this.#statements.newer, { part, last, most: room + 1 })
    if (rows.length > room) return false
    for (const row of rows) bits.add(row.seq, row.bits)
    if (bits.size !== size) {
      // The cache weighs an entry once, when it gets it.
      this.#parts.delete(part)
      this.#parts.set(part, bits)
    }
    return true
  }

  #manyGone(session: SqliteSession, part: number, seqs: readonly number[]): boolean {
    const step = Math.ceil(seqs.length / SAMPLE)
    const sample = seqs.filter((_, i) => i % step === 0)
    if (sample.length === 0) return false
    const looked = this.engine.conditions.encodeRows(sample.map((seq) => [seq]))
    const [there] = session.all(this.#statements.there, { part, looked })
    return sample.length - (there?.n ?? 0) > sample.length / 4
  }
}
const looks = perEngine((engine) => new Looks(engine))

function lookStatements(engine: SqlEngine) {
  const bits = {
    seq: { sql: sql`b.seq`, decode: Number },
    bits: { sql: sql`b.bits`, decode: (value: unknown) => value as Buffer },
  }
  const counted = { n: count(sql``) }
  const ofPart = sql`bruno_embedding_bits as b where b.part = ${value('part')}`
  return {
    newer: engine.statement(
      bits,
      () => sql`select b.seq, b.bits from ${ofPart} and b.seq > ${value('last')} order by b.seq limit ${value('most')}`,
    ),
    /** How many there are, up to `most`. */
    count: engine.statement(counted, () => sql`select count(*) from (select 1 from ${ofPart} limit ${value('most')})`),
    /** How many of some rows are there still. */
    there: engine.statement(
      counted,
      () =>
        sql`select count(*) from ${engine.conditions.rows('looked', { seq: 'integer' })} as s cross join ${ofPart} and b.seq = s.seq`,
    ),
  }
}

const keepBits = perEngine((engine) =>
  engine.command(
    () =>
      sql`insert into bruno_embedding_bits (part, seq, record_seq, bits) values (${value('part')}, ${value('seq')}, ${value('recordSeq')}, ${value('bits')})
        on conflict (part, seq) do update set record_seq = excluded.record_seq, bits = excluded.bits`,
  ),
)
