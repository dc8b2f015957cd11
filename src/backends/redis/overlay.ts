import { compareText } from '../../repository/matches.js'
import { within } from './order.js'

/** A hash as it will be: fields over those that are stored, unless all of those go. */
interface HashChange {
  gone: boolean
  readonly fields: Map<string, string | null>
}

/** Members of a sorted set that come and go, over those that are stored, unless all of those go. */
interface MembersChange {
  gone: boolean
  readonly members: Map<string, boolean>
}

interface Told {
  readonly type: string
  readonly key: readonly string[]
  readonly count: number
}

/** What a unit, a savepoint or a verb has changed and not written yet. */
export class Layer {
  readonly hashes = new Map<string, HashChange>()
  readonly sets = new Map<string, MembersChange>()
  /** Sorted sets whose scores mean something: what is due. */
  readonly scores = new Map<string, Map<string, number | null>>()
  /** At least how long listings live: until this instant, or for ever. */
  readonly lives = new Map<string, number | null>()
  /** When keys expire: milliseconds since the epoch, or never. */
  readonly expiries = new Map<string, number | null>()
  /** Children that a record got: they are counted, so that its deletion notices them. */
  readonly children = new Map<string, number>()
  readonly told: Told[] = []
  /** Entries for the journal. */
  readonly notes: string[] = []

  hash(key: string): HashChange {
    return made(this.hashes, key, () => ({ gone: false, fields: new Map() }))
  }

  set(key: string): MembersChange {
    return made(this.sets, key, () => ({ gone: false, members: new Map() }))
  }

  dropHash(key: string): void {
    this.hashes.set(key, { gone: true, fields: new Map() })
    this.expiries.delete(key)
  }

  dropSet(key: string): void {
    this.sets.set(key, { gone: true, members: new Map() })
    this.expiries.delete(key)
  }

  live(key: string, at: number | null): void {
    const known = this.lives.get(key)
    this.lives.set(key, known === null || at === null ? null : Math.max(known ?? at, at))
  }

  score(key: string, member: string, score: number | null): void {
    made(this.scores, key, () => new Map()).set(member, score)
  }

  /** Takes over what an inner layer changed. */
  merge(inner: Layer): void {
    for (const [key, change] of inner.hashes) {
      if (change.gone) this.dropHash(key)
      const { fields } = this.hash(key)
      for (const [name, value] of change.fields) fields.set(name, value)
    }
    for (const [key, change] of inner.sets) {
      if (change.gone) this.dropSet(key)
      const { members } = this.set(key)
      for (const [member, there] of change.members) members.set(member, there)
    }
    for (const [key, members] of inner.scores) for (const [member, score] of members) this.score(key, member, score)
    for (const [key, at] of inner.expiries) this.expiries.set(key, at)
    for (const [key, at] of inner.lives) this.live(key, at)
    for (const [key, n] of inner.children) this.children.set(key, (this.children.get(key) ?? 0) + n)
    this.told.push(...inner.told)
    this.notes.push(...inner.notes)
  }

  get empty(): boolean {
    const { hashes, sets, scores, children, notes } = this
    return hashes.size + sets.size + scores.size + children.size + notes.length === 0
  }
}

function made<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}

export interface Range {
  readonly min: string
  readonly max: string
  readonly limit: number
  /** From the largest down. */
  readonly reverse?: boolean
}

/** A sorted set as it is seen through layers, the outermost first. */
export class SeenSet {
  #gone = false
  readonly #members = new Map<string, boolean>()

  constructor(layers: readonly Layer[], key: string) {
    for (const layer of layers) {
      const change = layer.sets.get(key)
      if (!change) continue
      if (change.gone) {
        this.#gone = true
        this.#members.clear()
      }
      for (const [member, there] of change.members) this.#members.set(member, there)
    }
  }

  /** Whether what is stored shows at all. */
  get stored(): boolean {
    return !this.#gone
  }

  /** How many more must be read, because some of what is read does not show. */
  get extra(): number {
    return this.#members.size
  }

  /** The range as it is seen, from the first `limit + extra` that are stored in it. */
  merge(stored: readonly string[], range: Range): string[] {
    if (this.#members.size === 0) return this.#gone ? [] : [...stored]
    const seen = this.#gone ? [] : stored.filter((member) => !this.#members.has(member))
    for (const [member, there] of this.#members) if (there && within(member, range.min, range.max)) seen.push(member)
    seen.sort(range.reverse ? (a, b) => compareText(b, a) : compareText)
    return seen.slice(0, range.limit)
  }
}

/** Fields of a hash as they are seen through layers. */
export function seenFields(
  layers: readonly Layer[],
  key: string,
  stored: Readonly<Record<string, string | null>>,
): Record<string, string | null> {
  let seen: Record<string, string | null> = { ...stored }
  for (const layer of layers) {
    const change = layer.hashes.get(key)
    if (!change) continue
    if (change.gone) seen = Object.fromEntries(Object.keys(stored).map((name) => [name, null]))
    for (const [name, value] of change.fields) if (name in stored) seen[name] = value
  }
  return seen
}
