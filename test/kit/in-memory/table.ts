/** Rows by key. One that lies over another holds only what was changed, until that is committed or dropped. */
export class Table<R extends object> {
  readonly #own = new Map<string, R | null>()
  constructor(readonly below: Table<R> | null = null) {}

  get(key: string): R | undefined {
    const own = this.#own.get(key)
    return own === undefined ? this.below?.get(key) : (own ?? undefined)
  }

  set(key: string, row: R): void {
    this.#own.set(key, row)
  }

  delete(key: string): void {
    if (this.below) this.#own.set(key, null)
    else this.#own.delete(key)
  }

  /** In no order. */
  rows(): R[] {
    return [...this.#merged().values()]
  }

  #merged(): Map<string, R> {
    const merged = new Map(this.below ? this.below.#merged() : [])
    for (const [key, row] of this.#own)
      if (row === null) merged.delete(key)
      else merged.set(key, row)
    return merged
  }

  commit(): void {
    for (const [key, row] of this.#own)
      if (row === null) this.below?.delete(key)
      else this.below?.set(key, row)
  }
}
