import { ValidationError } from '../errors.js'

/** Cursors of an outage: of one store, in one epoch. The dot tells them from any other cursor. */
export class OutageCursors {
  readonly #prefix: string
  constructor(store: string, epoch: number) {
    this.#prefix = `${store}.${epoch}.`
  }

  /** The options as the store that stands in takes them. */
  read(options: unknown): unknown {
    if (typeof options !== 'object' || options === null) return options
    const { before, after } = options as { before?: unknown; after?: unknown }
    if (typeof before !== 'string' && typeof after !== 'string') return options
    return {
      ...options,
      ...(typeof before === 'string' && { before: this.#read(before, 'before') }),
      ...(typeof after === 'string' && { after: this.#read(after, 'after') }),
    }
  }

  #read(cursor: string, field: string): string {
    if (cursor.startsWith(this.#prefix)) return cursor.slice(this.#prefix.length)
    throw new ValidationError(field, 'is a cursor from before an outage, which began since: list again')
  }

  /** The page as the caller gets it. */
  write(page: unknown): unknown {
    const { before, after } = (page ?? {}) as { before?: unknown; after?: unknown }
    if (typeof before !== 'string' && typeof after !== 'string') return page
    const wrap = (cursor: unknown) => (typeof cursor === 'string' ? `${this.#prefix}${cursor}` : cursor)
    return { ...(page as object), before: wrap(before), after: wrap(after) }
  }
}
