import type { Backend, BackendScope, UnitScope } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { VectorSettings } from '../../contract/embedder.js'
import type { PostgresqlOptions } from '../../contract/options.js'
import type { PurgeOptions, SettleOptions, SettleReport } from '../../contract/statistics.js'
import { createMigrator } from '../../migrate/migrator.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { type Analyzer, Analyzers, createAnalyzer } from '../../search/analyzer.js'
import { Settler } from '../../unit/settler.js'
import { checkAnalyzer } from '../sql/analyzer.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { Appends, SqlRunner } from '../sql/engine.js'
import { sweepStore } from '../sql/purge.js'
import { sqlScope, sqlUnitScope } from '../sql/scope.js'
import { VectorSettler } from '../sql/settle.js'
import { SqlVectors } from '../sql/vectors.js'
import { makeRunner } from './access.js'
import { PostgresqlClient } from './client.js'
import { type ConnectionSettings, connector } from './connect.js'
import { postgresqlEngine } from './engine.js'
import { translateError } from './errors.js'
import { type PostgresqlMigrationClient, postgresqlMigrationTarget } from './migration.js'
import { PostgresqlSession } from './session.js'
import { indexMissing, postgresqlVectors, prepareVectors } from './vectors.js'

/** The options with everything decided. */
export interface PostgresqlSettings extends PostgresqlOptions {
  readonly clock: () => number
  readonly newId: () => string
  readonly vectors: VectorSettings
  readonly weights: { readonly text: number; readonly vector: number }
}

interface Open {
  readonly client: PostgresqlClient
  readonly store: SqlStoreContext
  readonly runner: SqlRunner
  readonly settler: Settler | null
}

const defaults = {
  poolSize: 10,
  acquireTimeout: 10_000,
  connectTimeout: 10_000,
  statementTimeout: 30_000,
  idleInTransactionTimeout: 60_000,
}

/** The backend for many users: one server, as many processes as there are. */
export class PostgresqlBackend implements Backend {
  readonly name = 'postgresql'
  #open: Open | null = null
  #capabilities: Capabilities
  readonly #scopes = new Map<string, BackendScope>()

  constructor(
    readonly settings: PostgresqlSettings,
    capabilities: Capabilities,
  ) {
    this.#capabilities = capabilities
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  #connection(changes: Partial<ConnectionSettings> = {}): ConnectionSettings {
    const { settings } = this
    return {
      connectionString: settings.connectionString,
      applicationName: settings.applicationName ?? 'bruno-memory',
      ssl: settings.ssl,
      prepare: settings.prepare ?? true,
      connectTimeout: settings.connectTimeout ?? defaults.connectTimeout,
      statementTimeout: settings.statementTimeout ?? defaults.statementTimeout,
      idleInTransactionTimeout: settings.idleInTransactionTimeout ?? defaults.idleInTransactionTimeout,
      durability: settings.durability ?? 'power',
      readWrite: true,
      ...changes,
    }
  }

  async open(): Promise<void> {
    const { newId, poolSize = defaults.poolSize, acquireTimeout = defaults.acquireTimeout } = this.settings
    const analyzer = await createAnalyzer(this.capabilities.textSearch ? (this.settings.language ?? 'english') : null)
    await this.#migrate()
    const connection = this.#connection()
    const statements = poolSize === 1 ? 0 : Math.ceil(poolSize / 2)
    const pool = { statements, transactions: poolSize - statements, acquireTimeout }
    const client = new PostgresqlClient(
      { ...pool, statementTimeout: connection.statementTimeout },
      await connector(connection),
    )
    try {
      const store = this.#store(analyzer, await this.#findVectors(client))
      const runner = makeRunner(client, store.engine)
      await this.#findDurability(client)
      await checkAnalyzer(store, runner)
      await store.vectors.open(store, runner)
      if (store.vectors.enabled) await indexMissing(store.engine, runner)
      const settler = store.vectors.embedder ? new Settler(new VectorSettler(store, runner, newId())) : null
      settler?.poke()
      this.#open = { client, store, runner: settler ? poking(runner, settler) : runner, settler }
    } catch (error) {
      await client.close()
      throw translateError(error)
    }
  }

  async #migrate(): Promise<void> {
    const { maintenanceConnectionString, connectionString, migrate } = this.settings
    const once = { connectionString: maintenanceConnectionString ?? connectionString, prepare: true }
    const connect = await connector(this.#connection({ ...once, statementTimeout: 0, idleInTransactionTimeout: 0 }))
    const { sql } = connect(1)
    try {
      const bundle = await import('../../migrate/bundled/postgresql.js')
      const target = postgresqlMigrationTarget(sql as unknown as PostgresqlMigrationClient)
      const migrator = createMigrator({ target, bundle })
      if (migrate === 'check') await migrator.check()
      else await migrator.up()
    } catch (error) {
      throw translateError(error)
    } finally {
      await sql.end({ timeout: 5 })
    }
  }

  /** Why the server cannot compare vectors, where any are wanted; null where it can. */
  async #findVectors(client: PostgresqlClient): Promise<string | null> {
    const { embedder, dimensions } = this.settings.vectors
    const wanted = embedder !== null || dimensions !== null
    const channel = client.channel('read')
    const absent = await prepareVectors(wanted, async (text) => {
      try {
        return await channel.query(text, [], false)
      } catch (error) {
        throw translateError(error)
      }
    })
    this.#capabilities = { ...this.#capabilities, vectorSearch: wanted && absent === null }
    return absent
  }

  #store(analyzer: Analyzer, absent: string | null): SqlStoreContext {
    const { clock, newId, limits, reranker = null, weights, vectors } = this.settings
    return {
      engine: postgresqlEngine(absent === null ? postgresqlVectors : undefined),
      analyzer,
      analyzers: new Analyzers(analyzer),
      vectors: new SqlVectors(vectors, absent),
      reranker,
      weights,
      checks: new Checks({ ...DEFAULT_LIMITS, ...limits }),
      clock,
      newId,
    }
  }

  /** What the server really does with a commit. */
  async #findDurability(client: PostgresqlClient): Promise<void> {
    const text = "select current_setting('fsync'), current_setting('synchronous_commit')"
    const [row] = await client.channel('read').query(text, [], false)
    const power = row?.[0] === 'on' && row[1] !== 'off'
    this.#capabilities = { ...this.#capabilities, durability: power ? 'power' : 'process' }
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
    const { client, store, settler } = this.#opened
    const result = client.transaction((transaction) =>
      work(
        sqlUnitScope(store, tenantId, new PostgresqlSession(transaction, store.engine), this.capabilities.textSearch),
      ),
    )
    return settler ? result.finally(() => settler.poke()) : result
  }

  async sweep(options: PurgeOptions) {
    const { store, runner } = this.#opened
    return sweepStore(store, runner, options)
  }

  async settle(options: SettleOptions): Promise<SettleReport> {
    const { settler } = this.#opened
    return settler ? settler.settle(options) : { pending: 0, parked: 0 }
  }

  async ping(): Promise<boolean> {
    const rows = await this.#opened.client.channel('read').query('select 1', [], false)
    return rows.length === 1
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = null
    this.#scopes.clear()
    await open?.settler?.stop()
    await this.settings.vectors.embedder?.close()
    await open?.client.close()
  }
}

/** Each write may have left vectors to be made. */
const poking = (runner: SqlRunner, settler: Settler): SqlRunner => ({
  read: runner.read,
  write: (work) => runner.write(work).finally(() => settler.poke()),
  ...(runner.appends && {
    appends: { submit: (...args) => (runner.appends as Appends).submit(...args).finally(() => settler.poke()) },
  }),
})
