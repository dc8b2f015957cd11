import { AsyncLocalStorage } from 'node:async_hooks'
import type { OperationReceipt } from '../contract/memory.js'
import { ClosedError, ValidationError } from '../errors.js'

/** One unit while its callback runs. */
export class UnitState {
  #open = true
  #tail: Promise<unknown> | null = null
  readonly pending = new Set<Promise<unknown>>()
  /** Keys of the records that its verbs wrote. */
  readonly records: OperationReceipt['records'][number][] = []

  constructor(
    /** Whose unit it is: a memory's lifecycle. */
    readonly root: object,
    readonly parent: UnitState | null,
  ) {}

  get open(): boolean {
    return this.#open
  }

  /** Calls inside a unit run one after the other, the first one at once: a connection has one transaction. */
  enter<T>(work: () => Promise<T>): Promise<T> {
    this.check()
    const tail = this.#tail
    const turn = tail === null ? work() : tail.then(work, work)
    this.#tail = turn
    this.pending.add(turn)
    const left = () => {
      this.pending.delete(turn)
      if (this.#tail === turn) this.#tail = null
    }
    turn.then(left, left)
    return turn
  }

  /** Whether a call made now would have to wait for another one. */
  get busy(): boolean {
    return this.#tail !== null
  }

  check(): void {
    if (!this.#open) throw new ClosedError('the unit of work has ended')
    const inner = innermost(this.root)
    for (let unit = inner?.parent; unit; unit = unit.parent)
      if (unit === this)
        throw new ValidationError('unitOfWork', 'use the nested unit that was given to the callback, not the outer one')
  }

  /** Runs the callback inside this unit's asynchronous context, and ends the unit with it. */
  async run<T>(callback: () => Promise<T>): Promise<T> {
    try {
      const result = await current.run(this, callback)
      if (this.pending.size > 0)
        throw new ValidationError('unitOfWork', 'the callback ended before a call that it made: await every call')
      return result
    } finally {
      this.#open = false
      // What still runs would otherwise write after the rollback, outside of any transaction.
      await Promise.allSettled(this.pending)
    }
  }
}

const current = new AsyncLocalStorage<UnitState>()

function innermost(root: object): UnitState | null {
  let unit: UnitState | null = current.getStore() ?? null
  while (unit && (!unit.open || unit.root !== root)) unit = unit.parent
  return unit
}

/** Inside a unit's callback the outer memory would wait for the very unit it is called in: refuse it. */
export function checkOutside(root: object): void {
  if (innermost(root))
    throw new ValidationError('unitOfWork', 'use the unit that was given to the callback, not the outer memory')
}
