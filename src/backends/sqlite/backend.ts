import type Database from 'better-sqlite3'
import type { Backend, BackendScope, UnitScope } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { VectorSettings } from '../../contract/embedder.js'
import type { EraseTarget, RetentionOptions, RetentionPolicy } from '../../contract/erase.js'
import type { Followed, SemanticSearch } from '../../contract/follow.js'
import type { Journal } from '../../contract/journal.js'
import type { Move } from '../../contract/online.js'
import type { SqliteOptions } from '../../contract/options.js'
import type { PurgeOptions, SettleOptions, SettleReport } from '../../contract/statistics.js'
import type { Counters, Logger } from '../../contract/telemetry.js'
import type { Transferring } from '../../contract/transfer.js'
import { createMigrator } from '../../migrate/migrator.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { type Analyzer, Analyzers, createAnalyzer } from '../../search/analyzer.js'
import { bothTold, Settler } from '../../unit/settler.js'
import { checkAnalyzer } from '../sql/analyzer.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { SqlRunner } from '../sql/engine.js'
import { SqlFollowed } from '../sql/followed.js'
import { sqlJournal } from '../sql/journal.js'
import { checkMoved, moveOf } from '../sql/moves.js'
import { sweepStore } from '../sql/purge.js'
import { retainStore } from '../sql/retention.js'
import { sqlScope, sqlUnitScope } from '../sql/scope.js'
import { VectorSettler } from '../sql/settle.js'
import { checkLoaded } from '../sql/transfer-jobs.js'
import { hasSpace, SqlVectors } from '../sql/vectors.js'
import { sqliteEngine } from './engine.js'
import { sqliteEraseTarget } from './erase.js'
import { WriteGate } from './gate.js'
import { sqliteMigrationTarget } from './migration.js'
import { isPrivate, named, openReader, openWriter, useWal } from './open.js'
import { SqliteSession } from './session.js'
import { addVectorFunctions } from './vectors.js'

/** The options with everything decided. */
export interface SqliteSettings extends SqliteOptions {
  readonly clock: () => number
  readonly newId: () => string
  readonly vectors: VectorSettings
  readonly weights: { readonly text: number; readonly vector: number }
  readonly semantic?: SemanticSearch | undefined
  readonly wrote?: (() => void) | undefined
  readonly loads?: boolean | undefined
  readonly newOwner?: (() => string) | undefined
  readonly isDead?: ((owner: string) => boolean) | undefined
  readonly logger?: Logger | undefined
  readonly counters?: Counters | undefined
}

interface Open {
  readonly writer: Database.Database
  readonly reader: Database.Database | null
  readonly gate: WriteGate
  readonly store: SqlStoreContext
  readonly runner: SqlRunner
  /** The same, and nobody is told of its writes. */
  readonly upkeep: SqlRunner
  /** Makes vectors of what is written; null where nothing can. */
  readonly settler: Settler | null
  readonly wrote: (() => void) | null
}

/** The embedded backend: one file, one writer at a time, readers that never wait. */
export class SqliteBackend implements Backend {
  readonly name = 'sqlite'
  #open: Open | null = null
  readonly #scopes = new Map<string, BackendScope>()

  constructor(
    readonly settings: SqliteSettings,
    readonly capabilities: Capabilities,
  ) {}

  async open(): Promise<void> {
    const { newId, busyTimeout = 5000, writeTimeout = 30_000, databasePath, durability } = this.settings
    const options = { databasePath, durability, busyTimeout }
    const analyzer = await createAnalyzer(this.capabilities.textSearch ? (this.settings.language ?? 'english') : null)
    // A file that is only checked may be another program's: it is not changed before it is known to be ours.
    const checked = this.settings.migrate === 'check'
    const writer = await openWriter({ ...options, wal: !checked })
    let reader: Database.Database | null = null
    try {
      await this.#migrate(writer)
      if (checked) await useWal(writer, options)
      reader = isPrivate(databasePath) ? null : await openReader(options)
      const gate = new WriteGate(new SqliteSession(writer, 'write'), { busyTimeout, writeTimeout })
      const store = this.#store(analyzer)
      const runner = makeRunner(gate, reader, writer)
      if (!this.settings.loads) {
        await checkLoaded(store, runner)
        await checkMoved(store, runner)
      }
      await checkAnalyzer(store, runner)
      const clients = reader ? [writer, reader] : [writer]
      if (store.vectors.enabled || (await hasSpace(store, runner))) {
        await addVectorFunctions(clients)
        // A vector fills half a page: with SQLite's own 2 MB of cache each search would read its pages again.
        reader?.pragma('cache_size = -65536')
      }
      await store.vectors.open(store, runner)
      const settler = store.vectors.makes
        ? new Settler(new VectorSettler(store, runner, newId()), this.settings.logger)
        : null
      settler?.poke()
      const wrote = bothTold(settler, this.settings.wrote)
      const told = wrote ? telling(runner, wrote) : runner
      this.#open = { writer, reader, gate, store, runner: told, upkeep: runner, settler, wrote }
    } catch (error) {
      reader?.close()
      writer.close()
      throw named(databasePath, error)
    }
  }

  async #migrate(client: Database.Database): Promise<void> {
    const bundle = await import('../../migrate/bundled/sqlite.js')
    const migrator = createMigrator({ target: sqliteMigrationTarget(client), bundle })
    if (this.settings.migrate === 'check') await migrator.check()
    else await migrator.up()
  }

  #store(analyzer: Analyzer): SqlStoreContext {
    const { clock, newId, limits, reranker = null, weights, vectors: given, semantic = null } = this.settings
    const vectors = new SqlVectors(given, null, semantic !== null)
    return {
      engine: sqliteEngine(),
      analyzer,
      analyzers: new Analyzers(analyzer),
      vectors,
      semantic,
      reranker,
      weights,
      checks: new Checks({ ...DEFAULT_LIMITS, ...limits }),
      clock,
      newId,
      newOwner: this.settings.newOwner,
      isDead: this.settings.isDead,
      logger: this.settings.logger,
      counters: this.settings.counters,
    }
  }

  get journal(): Journal | undefined {
    return this.#open ? sqlJournal(this.#open.store, this.#open.runner) : undefined
  }

  get followed(): Followed | undefined {
    return this.#open ? new SqlFollowed(this.#open.store, this.#open.upkeep) : undefined
  }

  get transferring(): Transferring | undefined {
    if (!this.#open) return undefined
    const { store, upkeep, gate } = this.#open
    return {
      target: async () =>
        (await import('./transfer-target.js')).sqliteTarget(this.settings.databasePath, store, upkeep, gate),
      capture: async () => (await import('./transfer-capture.js')).sqliteCapture(this.settings),
    }
  }

  get erasing(): readonly EraseTarget[] {
    return [sqliteEraseTarget({ ...this.#opened, databasePath: this.settings.databasePath })]
  }

  get #opened(): Open {
    if (!this.#open) throw new Error('the backend is not open')
    return this.#open
  }

  scope(tenantId: string): BackendScope {
    const { store, runner } = this.#opened
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      // One tenant a request: the map must not grow with the tenants of a long life.
      if (this.#scopes.size >= 1000) this.#scopes.clear()
      scope = sqlScope(store, tenantId, runner, this.capabilities.textSearch)
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    const { gate, store, wrote, upkeep } = this.#opened
    const result = gate.submit('unit', (session) =>
      work(sqlUnitScope(store, tenantId, session, this.capabilities.textSearch, { outer: upkeep })),
    )
    return wrote ? result.finally(wrote) : result
  }

  async sweep(options: PurgeOptions) {
    const { store, runner } = this.#opened
    return sweepStore(store, runner, options)
  }

  async retain(policy: RetentionPolicy, options: RetentionOptions) {
    const { store, runner } = this.#opened
    return retainStore(store, () => runner, runner, policy, options)
  }

  async settle(options: SettleOptions): Promise<SettleReport> {
    const { settler } = this.#opened
    return settler ? settler.settle(options) : { pending: 0, parked: 0 }
  }

  moving(): Promise<Move | null> {
    const { store, upkeep } = this.#opened
    return moveOf(store, upkeep)
  }

  async ping(): Promise<boolean> {
    const { reader, writer } = this.#opened
    return (reader ?? writer).prepare('select 1 from bruno_revision').get() !== undefined
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = null
    this.#scopes.clear()
    await open?.settler?.stop()
    await this.settings.vectors.embedder?.close()
    open?.reader?.close()
    open?.writer.close()
  }
}

/** Reads on their own connection; in a private database, which has only one, in turn with the writes. */
export function makeRunner(gate: WriteGate, reader: Database.Database | null, writer: Database.Database): SqlRunner {
  const session = new SqliteSession(reader ?? writer, 'read')
  return {
    read: reader ? (work) => work(session) : (work) => gate.submit('read', () => work(session)),
    write: (work) => gate.submit('verb', work),
  }
}

/** Each write may have left something to others. */
const telling = (runner: SqlRunner, wrote: () => void): SqlRunner => ({
  read: runner.read,
  write: (work) => runner.write(work).finally(wrote),
})
