import type { Plain } from '../../contract/backend.js'
import { cursors } from '../../contract/cursor.js'
import type { PageOptions } from '../../contract/page.js'
import type { DocumentRepository, ReadOptions } from '../../contract/repositories.js'
import type { CheckedDocument } from '../../model/check.js'
import { checkFlag, checkNames, pageWindow } from '../../model/page-options.js'
import { checkId } from '../../model/parse.js'
import type { Document } from '../../model/records.js'
import { compareText, isAlive } from '../../repository/matches.js'
import { toPage } from '../../repository/paging.js'
import { missing } from '../../repository/refusals.js'
import { newRevision, nowOf, type VectorContext } from './context.js'
import { embed, ownVector } from './embedding.js'
import { listed } from './listing.js'
import { keyOf, toPoint, toRecord } from './point.js'
import type { Condition, Point, PointWrite } from './store.js'
import { changing, Raced } from './writing.js'

/** Documents of one batch of a deletion. */
const BATCH = 500

interface Draft {
  readonly document: Document
  readonly own: Float32Array | null
  /** Whether it brings its own `createdAt`. */
  readonly dated: boolean
}

function newDocument(context: VectorContext, input: CheckedDocument): Document {
  const at = nowOf(context)
  const createdAt = input.createdAt ?? at
  return {
    tenantId: context.tenantId,
    namespace: input.namespace,
    id: input.id,
    content: input.content,
    metadata: input.metadata ?? {},
    expiresAt: input.expiresAt ?? null,
    createdAt,
    updatedAt: input.updatedAt ?? createdAt,
    version: 1,
  }
}

const keyed = (context: VectorContext, namespace: string, id: string): string =>
  keyOf(context.tenantId, 'document', namespace, id)

/** The document over what is stored: its creation stays, unless it brings one. */
function replacing(context: VectorContext, { document, dated }: Draft, point: Point | undefined): Document {
  const before = point && toRecord('document', point, context.tenantId)
  if (!before || !isAlive(before, context.clock())) return document
  return { ...document, createdAt: dated ? document.createdAt : before.createdAt, version: before.version + 1 }
}

/** Writes the drafts that are not stored yet, and notes which of them were. */
async function upsert(context: VectorContext, drafts: readonly Draft[], stored: Map<Draft, Document>): Promise<void> {
  const { points } = context
  const left = drafts.filter((draft) => !stored.has(draft))
  const keys = left.map(({ document }) => keyed(context, document.namespace, document.id))
  const found = new Map((await points.fetch('document', keys)).map((point) => [point.key, point]))
  const before = keys.map((key) => found.get(key))
  const embedded = await embed(
    context,
    left.map(({ document, own }, i) => ({ text: document.content, own, before: before[i] })),
  )
  const next = left.map((draft, i) => replacing(context, draft, before[i]))
  const writes = next.map((document, i): PointWrite => {
    const { vector, hash } = embedded[i] as (typeof embedded)[number]
    const point = toPoint('document', document, null, { revision: newRevision(), hash, before: before[i] })
    const { revision } = before[i] ?? {}
    return { point, vector, guard: revision === undefined ? 'absent' : { revision } }
  })
  const refused = await points.write('document', writes)
  for (const [i, { point }] of writes.entries())
    if (!refused.has(point.key)) stored.set(left[i] as Draft, next[i] as Document)
  if (refused.size > 0) throw new Raced()
}

/** Deletes a namespace in batches; answers how many documents it had. */
async function deleteNamespace(context: VectorContext, namespace: string): Promise<number> {
  const where = [{ field: 'namespace', in: [namespace] } as const]
  const query = { kind: 'document', where, order: [], descending: false, after: null, limit: BATCH } as const
  // One that comes again was written again meanwhile, and is counted once.
  const gone = new Set<string>()
  for (;;) {
    const page = await context.points.page(query)
    if (page.length === 0) return gone.size
    for (const { key } of page) gone.add(key)
    await context.points.remove(
      'document',
      page.map(({ key }) => key),
    )
  }
}

async function list(context: VectorContext, namespace: string, options: PageOptions & ReadOptions) {
  const { tenantId } = context
  checkNames(options, ['before', 'after', 'limit', 'includeExpired'])
  const { includeExpired, ...rest } = options
  const expired = checkFlag(includeExpired, 'includeExpired')
  const window = pageWindow(rest)
  const codec = cursors(`documents:${tenantId}:${namespace}`, ['string'])
  const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)
  const now = context.clock()
  const alive: Condition[] = expired ? [] : [{ alive: now }]
  const query = {
    kind: 'document',
    where: [{ field: 'namespace', in: [namespace] }, ...alive],
    order: [],
    descending: window.backward,
    after: from && { values: [], id: from[0] },
    limit: window.limit + 1,
  } as const
  const rows = await listed(context, query, (point) => {
    const document = toRecord('document', point, tenantId)
    return isAlive(document, now, expired) ? document : null
  })
  return toPage(rows, window, ({ id }) => codec.encode(id))
}

/** Namespaces that have a document which has not expired. */
async function namespaces(context: VectorContext, options: PageOptions) {
  checkNames(options, ['before', 'after', 'limit'])
  const window = pageWindow(options)
  const codec = cursors(`namespaces:${context.tenantId}`, ['string'])
  const from = window.cursor === null ? null : codec.decode(window.cursor, window.field)[0]
  const sign = window.backward ? -1 : 1
  const all = await context.points.distinct('document', 'namespace', [{ alive: context.clock() }])
  const rows = all
    .filter((name) => from === null || sign * compareText(name, from) > 0)
    .sort((a, b) => sign * compareText(a, b))
    .slice(0, window.limit + 1)
  return toPage(rows, window, (name) => codec.encode(name))
}

export function vectorDocuments(context: VectorContext): Plain<DocumentRepository> {
  const { checks, points, tenantId } = context
  const lookUp = async (namespace: string, id: string, expired = false): Promise<Document | null> => {
    checkId(namespace, 'namespace')
    checkId(id, 'id')
    const [point] = await points.fetch('document', [keyed(context, namespace, id)])
    const document = point && toRecord('document', point, tenantId)
    return document && isAlive(document, context.clock(), expired) ? document : null
  }
  return {
    async upsert(input) {
      const checked = checks.newDocuments(input)
      const drafts = new Map<string, Draft>()
      for (const [i, document] of checked.entries()) {
        const own = ownVector(context, document.vector, `documents[${i}].vector`)
        const draft = { document: newDocument(context, document), own, dated: document.createdAt !== undefined }
        // Of two with one key, the later stands: as if they had been written one after the other.
        drafts.set(keyed(context, document.namespace, document.id), draft)
      }
      const batch = [...drafts.values()]
      const stored = new Map<Draft, Document>()
      if (batch.length > 0) await changing('document', undefined, () => upsert(context, batch, stored))
      return batch.map((draft) => stored.get(draft) as Document)
    },
    async get(namespace, id, options = {}) {
      checkNames(options, ['includeExpired'])
      return lookUp(namespace, id, checkFlag(options.includeExpired, 'includeExpired'))
    },
    async delete(namespace, id) {
      if (!(await lookUp(namespace, id))) throw missing('document')
      await points.remove('document', [keyed(context, namespace, id)])
    },
    async deleteNamespace(namespace) {
      checkId(namespace, 'namespace')
      return deleteNamespace(context, namespace)
    },
    async list(namespace, options = {}) {
      checkId(namespace, 'namespace')
      return list(context, namespace, options)
    },
    namespaces: async (options = {}) => namespaces(context, options),
  }
}
