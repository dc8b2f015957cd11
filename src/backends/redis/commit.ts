import type { KeyType } from './keys.js'
import type { Layer } from './overlay.js'

/** Arguments of one command: scripts hand them on as one list, whose length Lua bounds. */
const CHUNK = 2000

/** The keys and arguments of a script, with each key named once. */
class Arguments {
  readonly keys: string[] = []
  readonly #places = new Map<string, string>()
  readonly args: string[] = []

  place(key: string): string {
    let place = this.#places.get(key)
    if (place === undefined) {
      place = String(this.keys.push(key))
      this.#places.set(key, place)
    }
    return place
  }

  write(command: string, key: string, args: readonly string[] = []): void {
    this.args.push(command, this.place(key), String(args.length))
    for (const arg of args) this.args.push(arg)
  }

  writeMany(command: string, key: string, args: readonly string[], head: readonly string[] = []): void {
    for (let i = 0; i < args.length; i += CHUNK) this.write(command, key, [...head, ...args.slice(i, i + CHUNK)])
  }
}

type CheckName = 'type' | 'revision' | 'children' | 'exists' | 'free' | 'mine' | 'journal'

export interface Check {
  readonly name: CheckName
  readonly key: string
  readonly expected: string
}

interface CommitMeans {
  readonly commitKey: string
  readonly token: string
  /** Milliseconds that the commit is remembered for. */
  readonly remembered: number
  readonly checks: readonly Check[]
  readonly locks: readonly string[]
  readonly eventsKey: string
  /** Of the journal: its state, its entries, and those that wait. */
  readonly journal: { readonly state: string; readonly entries: string; readonly waiting: string }
  /** How many events are kept; null where none are told. */
  readonly keep: number | null
  readonly now: number
}

/** What a layer becomes in the server, as the commit script takes it. */
export function commitArguments(
  layer: Layer,
  means: CommitMeans,
): { readonly keys: readonly string[]; readonly args: readonly string[] } {
  const out = new Arguments()
  out.place(means.commitKey)
  const checks = [...means.checks, ...typesOf(layer, means)]
  out.args.push(means.token, String(means.remembered), String(checks.length))
  for (const { name, key, expected } of checks) out.args.push(name, out.place(key), expected)
  writeHashes(layer, out, means.token)
  writeSets(layer, out)
  for (const [key, at] of layer.expiries)
    if (at === null) out.write('PERSIST', key)
    else out.write('PEXPIREAT', key, [String(at)])
  if (means.keep !== null)
    for (const { type, key, count } of layer.told)
      out.write('tell', means.eventsKey, [
        String(means.keep),
        type,
        JSON.stringify(key),
        String(count),
        String(means.now),
      ])
  for (const lock of means.locks) out.write('DEL', lock)
  const { state, entries, waiting } = means.journal
  for (const note of layer.notes) out.write('note', state, [out.place(entries), out.place(waiting), note])
  return out
}

function typesOf(layer: Layer, { eventsKey, keep, journal }: CommitMeans): Check[] {
  const of = (key: string, expected: KeyType): Check => ({ name: 'type', key, expected })
  return [
    ...[...layer.hashes.keys(), ...layer.children.keys()].map((key) => of(key, 'hash')),
    ...[...layer.sets.keys(), ...layer.scores.keys()].map((key) => of(key, 'zset')),
    ...(layer.notes.length > 0 ? [of(journal.entries, 'hash'), of(journal.waiting, 'zset')] : []),
    ...(keep !== null && layer.told.length > 0 ? [of(eventsKey, 'stream')] : []),
  ]
}

function writeHashes(layer: Layer, out: Arguments, token: string): void {
  for (const [key, { gone, fields }] of layer.hashes) {
    if (gone) out.write('UNLINK', key)
    const set: string[] = []
    const removed: string[] = []
    for (const [name, value] of fields) {
      if (value === null) removed.push(name)
      else set.push(name, value)
    }
    // Every write leaves its token: whoever read the record before notices.
    if (fields.has('d') || fields.has('n')) set.push('r', token)
    out.writeMany('HSET', key, set)
    if (!gone) out.writeMany('HDEL', key, removed)
  }
  for (const [key, n] of layer.children)
    if (!layer.hashes.get(key)?.gone || layer.hashes.get(key)?.fields.has('d'))
      out.write('HINCRBY', key, ['g', String(n)])
}

function writeSets(layer: Layer, out: Arguments): void {
  for (const [key, { gone, members }] of layer.sets) {
    if (gone) out.write('UNLINK', key)
    const added: string[] = []
    const removed: string[] = []
    for (const [member, there] of members) (there ? added : removed).push(member)
    const at = layer.lives.get(key)
    out.writeMany('add', key, added, [at === undefined ? '-' : at === null ? '' : String(at)])
    if (!gone) out.writeMany('ZREM', key, removed)
  }
  for (const [key, members] of layer.scores) {
    const scored: string[] = []
    const removed: string[] = []
    for (const [member, score] of members) {
      if (score === null) removed.push(member)
      else scored.push(String(score), member)
    }
    out.writeMany('ZADD', key, scored)
    out.writeMany('ZREM', key, removed)
  }
}
