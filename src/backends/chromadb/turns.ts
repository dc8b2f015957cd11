import { setTimeout as sleep } from 'node:timers/promises'
import { TimeoutError } from '../../errors.js'

/** Runs works that share a name one after the other, in the order in which they came, and all others side by side. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /**
   * @param longest Milliseconds to wait for those before: on a line that hangs, each of them may take its whole time.
   * @throws TimeoutError where they took longer; then the work was not begun.
   */
  async run<T>(names: readonly string[], longest: number, work: () => Promise<T>): Promise<T> {
    const before = [...new Set(names.flatMap((name) => this.#last.get(name) ?? []))]
    const turn = (before.length > 0 ? settled(before, longest) : Promise.resolve()).then(work)
    // A turn that failed must not fail the next one, and one that gave up must not let the next one overtake.
    const left = Promise.allSettled([...before, turn])
    for (const name of names) this.#last.set(name, left)
    try {
      return await turn
    } finally {
      void left.then(() => {
        for (const name of names) if (this.#last.get(name) === left) this.#last.delete(name)
      })
    }
  }
}

async function settled(before: readonly Promise<unknown>[], longest: number): Promise<void> {
  const over = new AbortController()
  const late = sleep(longest, true, { signal: over.signal }).catch(() => false)
  const all = Promise.all(before).then(() => false)
  try {
    if (await Promise.race([all, late]))
      throw new TimeoutError(`earlier writes of the same record took longer than ${longest} ms; this one was not begun`)
  } finally {
    over.abort()
  }
}
