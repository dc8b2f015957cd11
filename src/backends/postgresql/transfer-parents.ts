import type { Layout, Parent } from '../sql/transfer-layout.js'
import type { CopyingSession } from './transfer-client.js'

const REMEMBERED = 100_000

/** Names what a row names. Neighbours mostly name the same. */
function naming({ table, named }: Parent): (row: readonly unknown[]) => string {
  let last: readonly unknown[] | null = null
  let name = ''
  return (row) => {
    const before = last
    if (before === null || named.some((at) => before[at] !== row[at]))
      name = JSON.stringify([table, ...named.map((at) => row[at])])
    last = row
    return name
  }
}

/** What rows name while no foreign key looks: a key that cannot be made at the end would make the load one without an end. */
export class Parents {
  readonly #known = new Set<string>()

  /** What was found in a transaction that was rolled back may be gone with it. */
  forget(): void {
    this.#known.clear()
  }

  /** The places of the rows that name a user or a conversation which is not there. */
  async missing(
    session: CopyingSession,
    { parent }: Layout,
    rows: readonly (readonly unknown[])[],
  ): Promise<ReadonlySet<number>> {
    const orphans = new Set<number>()
    if (parent === null) return orphans
    const nameOf = naming(parent)
    const asked = new Map<string, readonly unknown[]>()
    for (const row of rows) {
      const name = nameOf(row)
      if (!this.#known.has(name))
        asked.set(
          name,
          parent.named.map((at) => row[at]),
        )
    }
    if (asked.size === 0) return orphans
    const keys = [...asked.entries()]
    const same = parent.key.map((column) => `p."${column}" = k."${column}"`).join(' and ')
    const arrays = parent.key.map((_, i) => `$${i + 1}::text[]`).join(', ')
    const { rows: gone } = await session.query(
      `select k.n from unnest(${arrays}) with ordinality as k(${parent.key.map((column) => `"${column}"`).join(', ')}, n)
       where not exists (select 1 from ${parent.table} as p where ${same})`,
      parent.key.map((_, i) => keys.map(([, values]) => values[i])),
    )
    const absent = new Set(gone.map(([n]) => keys[Number(n) - 1]?.[0] ?? ''))
    if (this.#known.size > REMEMBERED) this.#known.clear()
    for (const [name] of keys) if (!absent.has(name)) this.#known.add(name)
    if (absent.size > 0)
      rows.forEach((row, i) => {
        if (absent.has(nameOf(row))) orphans.add(i)
      })
    return orphans
  }
}
