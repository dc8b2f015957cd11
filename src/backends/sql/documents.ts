import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type { PageOptions } from '../../contract/page.js'
import type { DocumentRepository, ReadOptions } from '../../contract/repositories.js'
import { ConflictError } from '../../errors.js'
import type { CheckedDocument } from '../../model/check.js'
import { checkFlag, checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Document } from '../../model/records.js'
import { toPage } from '../../repository/paging.js'
import { documentText } from '../../search/fields.js'
import { documentColumns } from './columns.js'
import { alive, EMPTY, missing, now, type SqlContext, tenantIs } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { list, value } from './statement.js'

import { writeOwnVectors } from './vector-writing.js'
import { assignments } from './write.js'

const REPLACED = ['content', 'metadata', 'expiresAt', 'searchText', 'createdAt', 'updatedAt', 'version'] as const
const DELETE_BATCH = 1000

const statements = perEngine((engine) => {
  const { documents: t } = engine.tables
  const selection = documentColumns(engine.tables)
  const inNamespace = sql`${tenantIs(t.tenantId)} and ${t.namespace} = ${value('namespace')}`
  const one = sql`${inNamespace} and ${t.id} = ${value('id')}`
  const get = (expired: boolean): SQL =>
    sql`select ${list(selection)} from ${t} where ${one} and ${alive(t.expiresAt, expired)}`
  const listing = (backward: boolean, expired: boolean): SQL => sql`
    select ${list(selection)} from ${t} where ${inNamespace} and ${t.id} ${sql.raw(backward ? '<' : '>')} ${value('from')}
      and ${alive(t.expiresAt, expired)} order by ${t.id} ${sql.raw(backward ? 'desc' : 'asc')} limit ${value('limit')}`
  const names = (backward: boolean): SQL => sql`
    select ${t.namespace} from ${t} where ${tenantIs(t.tenantId)} and ${t.namespace} ${sql.raw(backward ? '<' : '>')} ${value('from')}
      and ${alive(t.expiresAt)} group by ${t.namespace} order by ${t.namespace} ${sql.raw(backward ? 'desc' : 'asc')} limit ${value('limit')}`
  const flags = [false, true]
  return {
    get: engine.statement(selection, () => get(false)),
    getAny: engine.statement(selection, () => get(true)),
    lock: engine.statement(selection, () => sql`${get(true)} ${engine.forUpdate}`),
    replace: engine.command(
      () =>
        sql`update ${t} set ${assignments(engine, 'documents', REPLACED)}, revision = ${engine.revision} where ${one}`,
    ),
    delete: engine.command(() => sql`delete from ${t} where ${one}`),
    deleteSome: engine.command(
      () => sql`delete from ${t} where ${inNamespace} and ${t.id} in
        (select ${t.id} from ${t} where ${inNamespace} order by ${t.id} limit ${value('limit')})`,
    ),
    list: flags.map((backward) =>
      flags.map((expired) => engine.statement(selection, () => listing(backward, expired))),
    ),
    namespaces: flags.map((backward) => engine.statement({ namespace: t.namespace }, () => names(backward))),
  }
})

type Draft = Document & { readonly searchText: string; readonly vector: Float32Array | null }

function draft(context: SqlContext, input: CheckedDocument, path: string): Draft {
  const at = now(context)
  const createdAt = input.createdAt ?? at
  return {
    tenantId: context.tenantId,
    namespace: input.namespace,
    id: input.id,
    content: input.content,
    metadata: input.metadata ?? EMPTY,
    expiresAt: input.expiresAt ?? null,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
    vector: context.vectors.own(input.vector, `${path}vector`),
    searchText: documentText(context.analyzer, context.tenantId, input),
  }
}

const toDocument = ({ searchText: _s, vector: _v, ...document }: Draft): Document => document

async function upsert(
  context: SqlContext,
  session: SqlSession,
  batch: readonly Draft[],
  dated: ReadonlySet<Draft>,
): Promise<Document[]> {
  const s = statements(context.engine)
  const stored = new Map<Draft, Draft>()
  const added: Draft[] = []
  for (const made of batch) {
    const { tenantId, namespace, id } = made
    const [before] = await session.all(s.lock, { tenantId, namespace, id, now: now(context) })
    const expired = before?.expiresAt !== null && before !== undefined && before.expiresAt <= now(context)
    if (!before) added.push(made)
    else if (expired) await session.run(s.replace, { ...made })
    else {
      const replaced = {
        ...made,
        createdAt: dated.has(made) ? made.createdAt : before.createdAt,
        version: before.version + 1,
      }
      await session.run(s.replace, { ...replaced })
      stored.set(made, replaced)
    }
  }
  await context.engine.insert(
    session,
    'documents',
    added as readonly object[] as readonly Record<string, unknown>[],
    (i) => `documents[${i}].id`,
  )
  await writeOwnVectors(
    context,
    session,
    'document',
    batch.map(({ namespace, id, vector }) => ({ scope: namespace, id, vector })),
  )
  return batch.map((made) => toDocument(stored.get(made) ?? made))
}

/** Somebody else may add a document between the look for it and its insertion: then it is there to be replaced. */
async function replacing<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left--) {
    try {
      return await work()
    } catch (error) {
      if (left === 0 || !(error instanceof ConflictError) || error.retryable) throw error
    }
  }
}

export function sqlDocuments(context: SqlContext): Plain<DocumentRepository> {
  const { runner, tenantId, engine, checks } = context
  const s = statements(engine)
  return {
    async upsert(input) {
      const checked = checks.newDocuments(input)
      // Of two with one key, the later stands: as if they had been written one after the other.
      const unique = new Map(checked.map((document) => [JSON.stringify([document.namespace, document.id]), document]))
      const batch = [...unique.values()].map(
        (document) => [document, draft(context, document, `documents[${checked.indexOf(document)}].`)] as const,
      )
      if (batch.length === 0) return []
      const dated = new Set(batch.filter(([document]) => document.createdAt !== undefined).map(([, made]) => made))
      const drafts = batch.map(([, made]) => made)
      return replacing(() => runner.write((session) => upsert(context, session, drafts, dated)))
    },
    async get(namespace: string, id: string, options: ReadOptions = {}) {
      checkId(namespace, 'namespace')
      checkId(id, 'id')
      checkNames(options, ['includeExpired'])
      const statement = checkFlag(options.includeExpired, 'includeExpired') ? s.getAny : s.get
      const values = { tenantId, namespace, id, now: now(context) }
      return runner.read(async (session) => (await session.all(statement, values))[0] ?? null)
    },
    async delete(namespace: string, id: string) {
      checkId(namespace, 'namespace')
      checkId(id, 'id')
      await runner.write(async (session) => {
        const values = { tenantId, namespace, id, now: now(context) }
        if ((await session.all(s.get, values)).length === 0) throw missing('document')
        await session.run(s.delete, values)
      })
    },
    async deleteNamespace(namespace: string) {
      checkId(namespace, 'namespace')
      let total = 0
      for (;;) {
        const n = await runner.write(async (session) =>
          session.run(s.deleteSome, { tenantId, namespace, limit: DELETE_BATCH }),
        )
        total += n
        if (n < DELETE_BATCH) return total
      }
    },
    async list(namespace: string, options: PageOptions & ReadOptions = {}) {
      checkId(namespace, 'namespace')
      checkNames(options, ['before', 'after', 'limit', 'includeExpired'])
      const expired = checkFlag(options.includeExpired, 'includeExpired')
      const window = pageWindow(options)
      const codec = cursors(`documents:${tenantId}:${namespace}`, ['string'])
      const from = window.cursor === null ? '' : codec.decode(window.cursor, window.field)[0]
      const statement = s.list[+window.backward]?.[+expired]
      const values = { tenantId, namespace, from, now: now(context), limit: window.limit + 1 }
      return runner.read(async (session) =>
        toPage<Document>(statement ? await session.all(statement, values) : [], window, (d) => codec.encode(d.id)),
      )
    },
    async namespaces(options: PageOptions = {}) {
      checkNames(options, ['before', 'after', 'limit'])
      const window = pageWindow(options)
      const codec = cursors(`namespaces:${tenantId}`, ['string'])
      const from = window.cursor === null ? '' : codec.decode(window.cursor, window.field)[0]
      const statement = s.namespaces[+window.backward]
      const values = { tenantId, from, now: now(context), limit: window.limit + 1 }
      return runner.read(async (session) => {
        const rows = statement ? await session.all(statement, values) : []
        return toPage(
          rows.map((row) => row.namespace),
          window,
          (name) => codec.encode(name),
        )
      })
    },
  }
}
