import type { StoredRecord } from './primary.js'
import type { Changes, Said } from './said.js'

/** What became of the writes of a process nobody knows; all of it, or nothing. */
interface Unsure {
  readonly changes: Changes
}

/** What writers were told, to be held against what is stored. */
export class Promises {
  readonly #contents = new Map<string, string | null>()
  #unsure: Unsure[] = []
  readonly wrong: string[] = []
  acknowledged = 0
  rescinded = 0
  unsure = 0

  /** What one process has said until it was killed. */
  hear(lines: readonly Said[]): void {
    const begun = new Map<number, Changes>()
    for (const line of lines) {
      if ('intends' in line) begun.set(line.intends, line.changes)
      else if ('wrong' in line) this.wrong.push(line.wrong)
      else if ('acknowledged' in line) {
        this.acknowledged++
        for (const [key, content] of Object.entries(begun.get(line.acknowledged) ?? {}))
          this.#contents.set(key, content)
        begun.delete(line.acknowledged)
      } else if ('rescinded' in line) {
        this.rescinded++
        begun.delete(line.rescinded)
      } else if ('unsure' in line) this.#leave(begun, line.unsure)
    }
    for (const n of [...begun.keys()]) this.#leave(begun, n)
  }

  #leave(begun: Map<number, Changes>, n: number): void {
    const changes = begun.get(n)
    begun.delete(n)
    if (!changes) return
    this.unsure++
    this.#unsure.push({ changes })
  }

  /**
   * What is wrong with what is stored. What nobody knew is known from now on. To be asked after each process of a tenant's
   * writer: what comes after an unsure write covers it.
   */
  judge(stored: ReadonlyMap<string, StoredRecord>): string[] {
    const wrong = this.wrong.splice(0)
    const contentOf = (key: string): string | null => stored.get(key)?.content ?? null
    for (const { changes } of this.#unsure) {
      const keys = Object.keys(changes)
      const done = keys.filter((key) => contentOf(key) === changes[key])
      const undone = keys.filter((key) => contentOf(key) === (this.#contents.get(key) ?? null))
      if (done.length !== keys.length && undone.length !== keys.length) wrong.push(`half of a unit is there: ${keys}`)
      if (done.length === keys.length) for (const key of keys) this.#contents.set(key, changes[key] as string | null)
    }
    this.#unsure = []
    for (const [key, content] of this.#contents)
      if (contentOf(key) !== content) wrong.push(`${key} is not as it was acknowledged`)
    for (const key of stored.keys()) if (!this.#contents.has(key)) wrong.push(`${key} is nobody's`)
    return wrong
  }
}
