import { OverloadedError } from '../../errors.js'

interface Waiting {
  readonly resolve: () => void
  readonly timer: NodeJS.Timeout
}

/** So many at a time; the others wait in their order, and not for ever. */
export class Slots {
  #free: number
  readonly #waiting = new Set<Waiting>()

  constructor(
    readonly size: number,
    /** Milliseconds that a caller waits. */
    readonly deadline: number,
    /** What is said of it then. */
    readonly what: string,
  ) {
    this.#free = size
  }

  /** Whether one was free; it must be given back. */
  take(): boolean {
    if (this.#free === 0) return false
    this.#free--
    return true
  }

  /** @throws OverloadedError after the deadline; nothing was begun then. */
  async acquire(): Promise<void> {
    if (this.take()) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting)
        reject(new OverloadedError(`${this.what} in ${this.deadline} ms; nothing of this call was begun`))
      }, this.deadline)
      const waiting = { resolve, timer }
      this.#waiting.add(waiting)
    })
  }

  release(): void {
    const [first] = this.#waiting
    if (!first) {
      this.#free++
      return
    }
    // Handed on: nobody who comes meanwhile may overtake.
    this.#waiting.delete(first)
    clearTimeout(first.timer)
    first.resolve()
  }
}
