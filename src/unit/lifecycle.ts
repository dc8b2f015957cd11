import type { Backend } from '../contract/backend.js'
import { ClosedError } from '../errors.js'

/** Opens a backend once, whoever asks first; counts what is in flight; closes when nothing is. */
export class Lifecycle {
  #open = false
  #ended = false
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #inFlight = 0
  #idle: (() => void) | null = null
  #load: () => Promise<Backend>
  #backend: Backend | null = null

  /** The backend's module is loaded when it is opened. */
  constructor(load: () => Promise<Backend>) {
    this.#load = load
  }

  get backend(): Backend | null {
    return this.#open && !this.#ended ? this.#backend : null
  }

  connect(): Promise<void> {
    return this.#ended ? Promise.reject(ended()) : this.#connected()
  }

  #connected(): Promise<void> {
    if (this.#open) return Promise.resolve()
    this.#opening ??= this.#start().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #start(): Promise<void> {
    this.#backend ??= await this.#load()
    await this.#backend.open()
    this.#open = true
  }

  /** Runs work on the open backend, at once where it is open; otherwise it connects first. */
  async use<T>(work: (backend: Backend) => Promise<T>): Promise<T> {
    if (this.#ended) throw ended()
    this.#inFlight++
    try {
      // What was called before close() is still answered.
      if (!this.#open) await this.#connected()
      return await work(this.#backend as Backend)
    } finally {
      if (--this.#inFlight === 0) this.#idle?.()
    }
  }

  close(): Promise<void> {
    this.#ended = true
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    // A failed opening is its caller's to know.
    await this.#opening?.catch(() => undefined)
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    if (this.#open) await this.#backend?.close()
  }

  async healthCheck(): Promise<boolean> {
    if (!this.#open || this.#ended) return false
    try {
      return await (this.#backend as Backend).ping()
    } catch {
      return false
    }
  }
}

const ended = (): ClosedError => new ClosedError('the memory is closed')
