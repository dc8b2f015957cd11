import type { Backend } from '../contract/backend.js'
import { ClosedError } from '../errors.js'

/** Opens a backend once, whoever asks first; counts what is in flight; closes when nothing is. */
export class Lifecycle {
  #state: 'closed' | 'ended' | 'open' = 'closed'
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
    return this.#state === 'open' ? this.#backend : null
  }

  connect(): Promise<void> {
    if (this.#state === 'ended') return Promise.reject(ended())
    if (this.#state === 'open') return Promise.resolve()
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #open(): Promise<void> {
    this.#backend ??= await this.#load()
    await this.#backend.open()
    this.#state = 'open'
  }

  /** Runs work on the open backend, at once where it is open; otherwise it connects first. */
  async use<T>(work: (backend: Backend) => Promise<T>): Promise<T> {
    if (this.#state === 'ended') throw ended()
    this.#inFlight++
    try {
      if (this.#state !== 'open') await this.connect()
      return await work(this.#backend as Backend)
    } finally {
      if (--this.#inFlight === 0) this.#idle?.()
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // A failed opening is its caller's to know.
    await this.#opening?.catch(() => undefined)
    const wasOpen = this.#state === 'open'
    this.#state = 'ended'
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    if (wasOpen) await this.#backend?.close()
  }

  async healthCheck(): Promise<boolean> {
    if (this.#state !== 'open') return false
    try {
      return await (this.#backend as Backend).ping()
    } catch {
      return false
    }
  }
}

const ended = (): ClosedError => new ClosedError('the memory is closed')
