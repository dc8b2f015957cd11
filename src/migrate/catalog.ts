/**
 * A database's schema as a flat list: `column bruno_users.name` → `text null`. Both sides of a comparison are read from
 * the same engine by the same code, so the wording only has to be stable within one engine.
 */
export type Catalog = ReadonlyMap<string, string>

export interface Difference {
  /** What it is about: `table bruno_users`, `column bruno_users.name`, `index …`, `foreign key …`, `trigger …`. */
  readonly object: string
  readonly problem: 'missing' | 'extra' | 'changed'
  /** What the migrations make; null where it is extra. */
  readonly expected: string | null
  /** What the database has; null where it is missing. */
  readonly found: string | null
}

/** What differs between what the migrations make and what the database has, ordered by object. */
export function compareCatalogs(expected: Catalog, found: Catalog): Difference[] {
  const differences: Difference[] = []
  for (const object of new Set([...expected.keys(), ...found.keys()])) {
    const e = expected.get(object) ?? null
    const f = found.get(object) ?? null
    if (e === f) continue
    differences.push({
      object,
      problem: f === null ? 'missing' : e === null ? 'extra' : 'changed',
      expected: e,
      found: f,
    })
  }
  return withoutParts(differences).sort((a, b) => (a.object < b.object ? -1 : 1))
}

/** A table that is missing or extra as a whole says it once, not again for each column, index and key. */
function withoutParts(differences: readonly Difference[]): Difference[] {
  const whole = differences.filter((d) => d.problem !== 'changed' && /^(table|full-text table) /.test(d.object))
  const prefixes = whole.map((d) => ({ problem: d.problem, of: ` ${d.object.slice(d.object.lastIndexOf(' ') + 1)}.` }))
  return differences.filter((d) => !prefixes.some((p) => p.problem === d.problem && d.object.includes(p.of)))
}
