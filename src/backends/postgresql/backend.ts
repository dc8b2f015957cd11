import type { Backend, BackendScope, UnitScope } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { VectorSettings } from '../../contract/embedder.js'
import type { EraseTarget, RetentionOptions, RetentionPolicy } from '../../contract/erase.js'
import type { Followed, SemanticSearch } from '../../contract/follow.js'
import type { Journal } from '../../contract/journal.js'
import type { Move } from '../../contract/online.js'
import type { PostgresqlOptions } from '../../contract/options.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport } from '../../contract/statistics.js'
import type { Counters, Logger } from '../../contract/telemetry.js'
import type { Transferring } from '../../contract/transfer.js'
import { UnsupportedError } from '../../errors.js'
import { Checks } from '../../model/check.js'
import { DEFAULT_LIMITS } from '../../options.js'
import { type Analyzer, Analyzers, createAnalyzer } from '../../search/analyzer.js'
import { bothTold, Settler } from '../../unit/settler.js'
import { checkAnalyzer } from '../sql/analyzer.js'
import type { SqlStoreContext } from '../sql/context.js'
import type { Appends, SqlRunner } from '../sql/engine.js'
import { SqlFollowed } from '../sql/followed.js'
import { sqlJournal } from '../sql/journal.js'
import { checkMoved, moveOf } from '../sql/moves.js'
import { sweepStore } from '../sql/purge.js'
import { retainStore } from '../sql/retention.js'
import { sqlScope, sqlUnitScope } from '../sql/scope.js'
import { VectorSettler } from '../sql/settle.js'
import { checkLoaded } from '../sql/transfer-jobs.js'
import { SqlVectors } from '../sql/vectors.js'
import { type Access, plainAccess, securedAccess } from './access.js'
import { postgresqlEngine } from './engine.js'
import { postgresqlEraseTarget } from './erase.js'
import { translateError } from './errors.js'
import { migrate } from './migrate-store.js'
import { asking, type Connections, checkSearchPath, checkSecurity, findDurability, openConnections } from './open.js'
import { indexMissing, postgresqlVectors, prepareVectors } from './vectors.js'

/** The options with everything decided. */
export interface PostgresqlSettings extends PostgresqlOptions {
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
  readonly connections: Connections
  readonly access: Access
  readonly store: SqlStoreContext
  readonly settler: Settler | null
  readonly wrote: (() => void) | null
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

  async open(): Promise<void> {
    const { settings } = this
    const analyzer = await createAnalyzer(this.capabilities.textSearch ? (settings.language ?? 'english') : null)
    await migrate(settings)
    const connections = await openConnections(settings)
    try {
      await checkSearchPath(connections.client)
      const absent = await this.#findVectors(connections)
      const upkept = settings.semantic !== undefined || (settings.vectors.embedder !== null && absent === null)
      await checkSecurity(settings, connections, upkept)
      const store = this.#store(analyzer, absent)
      const { client } = connections
      const access = (settings.rowLevelSecurity ? securedAccess : plainAccess)({ ...connections, engine: store.engine })
      const { upkeep } = access
      this.#capabilities = { ...this.#capabilities, durability: await findDurability(client) }
      if (!settings.loads) {
        await checkLoaded(store, upkeep)
        await checkMoved(store, upkeep)
      }
      await checkAnalyzer(store, upkeep)
      await store.vectors.open(store, upkeep)
      if (store.engine.vectors && store.vectors.enabled) await indexMissing(store.engine, upkeep)
      const settler = store.vectors.makes
        ? new Settler(new VectorSettler(store, upkeep, settings.newId()), settings.logger)
        : null
      settler?.poke()
      const wrote = bothTold(settler, settings.wrote)
      this.#open = { connections, access, store, settler, wrote }
    } catch (error) {
      await connections.close()
      throw translateError(error)
    }
  }

  /** Why the server cannot compare vectors, where any are wanted; null where it can. */
  async #findVectors({ client, maintenance }: Connections): Promise<string | null> {
    // Where others compare them, they are only kept.
    if (this.settings.semantic) return null
    const { embedder, dimensions } = this.settings.vectors
    const wanted = embedder !== null || dimensions !== null
    const absent = await prepareVectors(wanted, asking(maintenance ?? client))
    this.#capabilities = { ...this.#capabilities, vectorSearch: wanted && absent === null }
    return absent
  }

  #store(analyzer: Analyzer, absent: string | null): SqlStoreContext {
    const { clock, newId, limits, reranker = null, weights, vectors, semantic = null } = this.settings
    const { rowLevelSecurity = false } = this.settings
    const compares = absent === null && semantic === null
    return {
      engine: postgresqlEngine({ vectors: compares ? postgresqlVectors : null, secured: rowLevelSecurity }),
      analyzer,
      analyzers: new Analyzers(analyzer),
      vectors: new SqlVectors(vectors, absent, semantic !== null),
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

  /** Its entries are of all tenants. */
  get journal(): Journal | undefined {
    if (!this.#open) return undefined
    const { store, access, connections } = this.#open
    return this.settings.rowLevelSecurity && !connections.maintenance ? undefined : sqlJournal(store, access.upkeep)
  }

  get followed(): Followed | undefined {
    if (!this.#open) return undefined
    const { store, access, connections } = this.#open
    // What is told is of all tenants.
    if (this.settings.rowLevelSecurity && !connections.maintenance) return undefined
    return new SqlFollowed(store, access.upkeep)
  }

  get transferring(): Transferring | undefined {
    if (!this.#open) return undefined
    const { store, access } = this.#open
    return {
      target: async () => (await import('./transfer-target.js')).postgresqlTarget(this.settings, store, access.upkeep),
      capture: async () => (await import('./transfer-capture.js')).postgresqlCapture(this.settings),
    }
  }

  get erasing(): readonly EraseTarget[] {
    const { store } = this.#opened
    return [postgresqlEraseTarget({ settings: this.settings, store, runner: (id) => this.#runner(id) })]
  }

  get #opened(): Open {
    if (!this.#open) throw new Error('the backend is not open')
    return this.#open
  }

  scope(tenantId: string): BackendScope {
    const { store } = this.#opened
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      // One tenant a request: the map must not grow with the tenants of a long life.
      if (this.#scopes.size >= 1000) this.#scopes.clear()
      scope = sqlScope(store, tenantId, this.#runner(tenantId), this.capabilities.textSearch)
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  #runner(tenantId: string): SqlRunner {
    const { access, wrote } = this.#opened
    const runner = access.runner(tenantId)
    return wrote ? telling(runner, wrote) : runner
  }

  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    const { access, store, wrote } = this.#opened
    const result = access.unit(tenantId, (session) =>
      work(
        sqlUnitScope(store, tenantId, session, this.capabilities.textSearch, {
          sharedLocks: true,
          outer: access.runner(tenantId),
        }),
      ),
    )
    return wrote ? result.finally(wrote) : result
  }

  async sweep(options: PurgeOptions): Promise<PurgeReport> {
    const { store, access } = this.#opened
    this.#checkSeesAll('sweep')
    return sweepStore(store, access.upkeep, options)
  }

  async retain(policy: RetentionPolicy, options: RetentionOptions) {
    const { store, access } = this.#opened
    if (options.tenantId === undefined) this.#checkSeesAll('retain')
    return retainStore(store, (tenantId) => this.#runner(tenantId), access.upkeep, policy, options)
  }

  #checkSeesAll(verb: string): void {
    if (this.settings.rowLevelSecurity && !this.#opened.connections.maintenance)
      throw new UnsupportedError(
        verb,
        `under rowLevelSecurity a ${verb} over all tenants needs maintenanceConnectionString`,
      )
  }

  async settle(options: SettleOptions): Promise<SettleReport> {
    const { settler } = this.#opened
    return settler ? settler.settle(options) : { pending: 0, parked: 0 }
  }

  moving(): Promise<Move | null> {
    const { store, access } = this.#opened
    return moveOf(store, access.upkeep)
  }

  async ping(): Promise<boolean> {
    return (await this.#opened.connections.client.ask('select 1')) !== undefined
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = null
    this.#scopes.clear()
    await open?.settler?.stop()
    await this.settings.vectors.embedder?.close()
    await open?.connections.close()
  }
}

/** Each write may have left something to others. */
const telling = (runner: SqlRunner, wrote: () => void): SqlRunner => ({
  ...runner,
  write: (work) => runner.write(work).finally(wrote),
  ...(runner.appends && {
    appends: { submit: (...args) => (runner.appends as Appends).submit(...args).finally(wrote) },
  }),
})
