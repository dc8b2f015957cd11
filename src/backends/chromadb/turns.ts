/** Runs what has the same name one after the other, in the order in which it came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const turn = before.then(work)
    // A turn that failed must not fail the next one.
    const left = turn.catch(() => undefined)
    this.#last.set(name, left)
    try {
      return await turn
    } finally {
      if (this.#last.get(name) === left) this.#last.delete(name)
    }
  }
}
