import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { Change, ChangedKey, Move, MovePhase, Present, TransferCapture } from '../../contract/online.js'
import { ConflictError, TimeoutError } from '../../errors.js'
import type { RecordKind } from '../../model/records.js'
import { tableKey } from './transfer-find.js'
import { keyOf } from './transfer-keys.js'
import { spaceOf } from './transfer-open.js'
import { describedSpace, type SqlSource } from './transfer-source.js'

/** A follower of this name stands for the move: what is noted for it is told by the outbox of followers. */
const NAME = 'transfer'
const OWN = `follower = '${NAME}'`
const COLUMNS = 'follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at'

const ATTEMPTS = 100

/** A connection of its own, and what differs between the engines. */
export interface CaptureConnection {
  rows(text: string, values?: readonly unknown[]): Promise<unknown[][]>
  placeholder(n: number): string
  write<T>(work: () => Promise<T>): Promise<T>
  /** The same, with every writer of records kept out. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** The engine's own time, and the beginning of all times, as they are stored. */
  readonly now: string
  readonly epoch: string
  /** A parameter that holds JSON. */
  json(placeholder: string): string
  /** A condition on the outbox, without the rows that another transaction has locked. */
  unlocked(where: string): string
  /** Has every write of a record noted. */
  note(): Promise<void>
  /** Refuses every write of a record. */
  fence(): Promise<void>
  /** Takes both away. */
  release(): Promise<void>
  close(): Promise<void>
}

/** Notes what is written to the tables of an SQL store, of whatever process. */
export class SqlCapture implements TransferCapture {
  constructor(
    readonly connection: CaptureConnection,
    readonly source: SqlSource,
  ) {}

  async move(): Promise<Move | null> {
    const [row] = await this.connection.rows(`select settings from bruno_followers where name = '${NAME}'`)
    if (!row) return null
    const settings = typeof row[0] === 'string' ? JSON.parse(row[0]) : row[0]
    return { phase: settings.phase as MovePhase, place: String(settings.place) }
  }

  async begin(place: string): Promise<void> {
    const before = await this.move()
    if (before && before.place !== place)
      throw new ConflictError(
        `this memory is being moved to ${before.place}, or has been: go on with that (--resume), or give it up (--abandon)`,
      )
    if (before) return
    const { connection } = this
    await this.#insistently(async () => {
      await connection.note()
      await connection.rows(
        `insert into bruno_followers (name, kind, state, kinds, settings, seeded_revision, lease_epoch, created_at, updated_at, version, revision)
         values ('${NAME}', 'target', 'active', '[]', ${connection.json(connection.placeholder(1))}, 0, 0, ${connection.now}, ${connection.now}, 1, 0)`,
        [JSON.stringify({ place, phase: 'following' })],
      )
    })
  }

  /** Long transactions keep it from beginning: whoever waits behind it is let by, and it is tried again. */
  async #insistently(work: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.connection.alone(work)
      } catch (error) {
        if (!(error instanceof TimeoutError) || attempt === ATTEMPTS) throw error
      }
      await sleep(50 * (1 + (attempt % 5)))
    }
  }

  async note(keys: readonly ChangedKey[]): Promise<void> {
    const { connection } = this
    for (let i = 0; i < keys.length; i += 500) {
      const values: unknown[] = []
      const bound = (value: string): string => {
        values.push(value)
        return connection.placeholder(values.length)
      }
      const rows = keys
        .slice(i, i + 500)
        .map(({ tenantId, kind, scope, recordId }) => [tenantId, kind, scope, recordId].map(bound).join(', '))
        .map((key) => `('${NAME}', ${key}, 0, 0, ${connection.now}, ${connection.epoch})`)
      await connection.write(() =>
        connection.rows(
          `insert into bruno_outbox (${COLUMNS}) values ${rows.join(', ')} on conflict do nothing`,
          values,
        ),
      )
    }
  }

  async noteOperations(): Promise<void> {
    const { connection } = this
    await connection.write(() =>
      connection.rows(
        `insert into bruno_outbox (${COLUMNS}) select '${NAME}', tenant_id, 'operation', '', operation_id, 0, 0, ${connection.now}, ${connection.epoch}
         from bruno_operations where true on conflict do nothing`,
      ),
    )
  }

  async changes(limit: number): Promise<readonly Change[]> {
    const rows = await this.connection.rows(
      `select tenant_id, kind, scope, record_id, revision from bruno_outbox where ${OWN} order by next_attempt_at, revision limit ${limit}`,
    )
    return rows.map(([tenantId, kind, scope, recordId, revision]) => ({
      tenantId: String(tenantId),
      kind: kind as Change['kind'],
      scope: String(scope),
      recordId: String(recordId),
      revision: Number(revision),
    }))
  }

  async present(changes: readonly ChangedKey[]): Promise<Present> {
    const records = await this.source.find(changes)
    const keys = changes.filter(({ kind }) => kind === 'operation').map((key) => tableKey(key, false))
    const operations = await this.source.operations(keys)
    const there = new Set(records.map((carried) => keyOf({ kind: carried.kind as RecordKind, record: carried.record })))
    const gone = changes.filter((change) => change.kind !== 'operation' && !there.has(keyOf(change)))
    return { records, operations, gone }
  }

  async done(changes: readonly Change[]): Promise<void> {
    const { connection } = this
    for (let i = 0; i < changes.length; i += 500) {
      const values: unknown[] = []
      const bound = (value: unknown): string => {
        values.push(value)
        return connection.placeholder(values.length)
      }
      const keys = changes
        .slice(i, i + 500)
        .map((c) => `(${[c.tenantId, c.kind, c.scope, c.recordId].map(bound).join(', ')}, ${c.revision})`)
      await connection.write(() =>
        this.#forget(`(tenant_id, kind, scope, record_id, revision) in (values ${keys})`, values),
      )
    }
  }

  /** What somebody writes at this moment is left alone: nobody waits for this while it waits for them. */
  async #forget(where: string, values: readonly unknown[]): Promise<void> {
    const { connection } = this
    await connection.rows(`delete from bruno_outbox where ${OWN} and ${connection.unlocked(where)}`, values)
  }

  async clear(): Promise<void> {
    await this.connection.write(() => this.connection.rows(`delete from bruno_outbox where ${OWN}`))
  }

  async space(): Promise<EmbeddingSpace | null> {
    const space = await spaceOf(this.connection)
    return space && describedSpace(space)
  }

  phase(phase: 'following' | 'closing'): Promise<void> {
    return this.connection.write(async () => {
      if ((await this.move())?.phase === 'moved') throw new ConflictError('this memory has been moved already')
      await this.#phase(phase)
    })
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.connection.alone(work)
  }

  async moved(): Promise<void> {
    await this.#phase('moved')
    await this.connection.fence()
  }

  async #phase(phase: MovePhase): Promise<void> {
    const { connection } = this
    const move = await this.move()
    if (!move) throw new ConflictError('the move was given up by somebody else')
    await connection.rows(
      `update bruno_followers set settings = ${connection.json(connection.placeholder(1))} where name = '${NAME}'`,
      [JSON.stringify({ place: move.place, phase })],
    )
  }

  async end(): Promise<void> {
    const { connection } = this
    await this.#insistently(async () => {
      await connection.release()
      await connection.rows(`delete from bruno_followers where name = '${NAME}'`)
      await connection.rows(`delete from bruno_outbox where ${OWN}`)
    })
  }

  async close(): Promise<void> {
    await this.connection.close()
    await this.source.close()
  }
}
