import type { JsonObject } from '../../model/records.js'
import { cellInstant, cellJson, cellText, type Row, type SqliteFile } from '../sqlite.js'
import { aboutRecord } from '../text.js'
import type { ImportItem } from '../types.js'
import { objectOf, textOf } from '../values.js'

/** Where items of a store mostly keep their words. */
const WORDS = ['text', 'content', 'memory', 'data', 'page_content']

/** The words of an item, where it has any in one of those; otherwise all of it as JSON. */
function contentOf(value: JsonObject): string {
  for (const name of WORDS) {
    const text = textOf(value[name] ?? null)
    if (text !== null && text.trim() !== '') return text
  }
  return JSON.stringify(value)
}

/** An item of a store is a document of its namespace; `metadata.value` is what it holds. */
export function* storeItems(file: SqliteFile, now: Date): Generator<ImportItem[]> {
  const table = 'store'
  for (const row of file.rows(`SELECT * FROM ${table} ORDER BY "prefix", "key"`)) {
    const place = { file: file.path, table, id: cellText(row.key) ?? undefined }
    try {
      const input = documentOf(row)
      if (input.expiresAt && input.expiresAt <= now)
        yield [{ kind: 'document', outcome: 'skipped', field: 'expires_at', reason: 'expired', place }]
      else yield [{ kind: 'document', tenant: null, place, size: 2 * input.content.length + 500, input }]
    } catch (error) {
      const { field, problem } = aboutRecord(error, 'value')
      yield [{ kind: 'document', outcome: 'refused', field, reason: problem, place }]
    }
  }
  const rows = file.tables.has('store_vectors') ? file.count('store_vectors') : 0
  if (rows > 0) yield [{ kind: null, what: 'vectors: they are made anew', rows }]
}

function documentOf(row: Row) {
  const value = objectOf(cellJson(row.value, 'value'))
  const createdAt = cellInstant(row.created_at, 'created_at')
  const updatedAt = cellInstant(row.updated_at, 'updated_at')
  const expiresAt = cellInstant(row.expires_at, 'expires_at')
  return {
    namespace: cellText(row.prefix) ?? '',
    id: cellText(row.key) ?? '',
    content: contentOf(value),
    metadata: { source: 'langgraph', value },
    ...(createdAt ? { createdAt } : {}),
    ...(updatedAt ? { updatedAt } : {}),
    ...(expiresAt ? { expiresAt } : {}),
  }
}
