import { sql } from 'drizzle-orm/sql/sql'
import type { OperationStore, StoredOperation } from '../../contract/backend.js'
import { now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { bind, list, value } from './statement.js'
import { insertInto } from './write.js'

/** How long an operation's outcome is kept. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000
const KEYS = ['tenantId', 'operationId', 'fingerprint', 'result', 'records', 'createdAt', 'expiresAt'] as const

const statements = perEngine((engine) => {
  const { operations: t } = engine.tables
  const selection = { fingerprint: t.fingerprint, result: t.result, records: t.records }
  const one = sql`${tenantIs(t.tenantId)} and ${t.operationId} = ${value('operationId')}`
  return {
    expire: engine.command(() => sql`delete from ${t} where ${one} and ${t.expiresAt} <= ${bind(t.expiresAt, 'now')}`),
    claim: engine.command(
      () => sql`${insertInto(engine, 'operations', KEYS)} on conflict (tenant_id, operation_id) do nothing`,
    ),
    get: engine.statement(selection, () => sql`select ${list(selection)} from ${t} where ${one}`),
    finish: engine.command(
      () =>
        sql`update ${t} set result = ${bind(t.result, 'result')}, records = ${bind(t.records, 'records')} where ${one}`,
    ),
  }
})

/** Operations inside one unit: the row is its first write, so a concurrent duplicate waits for the outcome. */
export function sqlOperations(context: SqlContext, session: SqlSession): OperationStore {
  const s = statements(context.engine)
  const { tenantId } = context
  return {
    async claim(operationId, fingerprint) {
      const at = now(context)
      const expiresAt = new Date(at.getTime() + KEPT_MS)
      await session.run(s.expire, { tenantId, operationId, now: at })
      const row = { tenantId, operationId, fingerprint, result: null, records: [], createdAt: at, expiresAt }
      if ((await session.run(s.claim, row)) > 0) return null
      const [stored] = await session.all(s.get, { tenantId, operationId })
      return (stored as unknown as StoredOperation) ?? null
    },
    async finish(operationId, result, records) {
      await session.run(s.finish, { tenantId, operationId, result, records })
    },
  }
}
