import type { Page } from '../contract/page.js'
import type { Window } from '../model/page-options.js'

/** A page from `limit + 1` rows, read in the window's direction. */
export function toPage<T>(rows: T[], window: Pick<Window, 'limit' | 'backward'>, cursor: (row: T) => string): Page<T> {
  const hasMore = rows.length > window.limit
  if (hasMore) rows.length = window.limit
  if (window.backward) rows.reverse()
  const [first] = rows
  const last = rows.at(-1)
  return {
    items: rows,
    before: first === undefined ? null : cursor(first),
    after: last === undefined ? null : cursor(last),
    hasMore,
  }
}
