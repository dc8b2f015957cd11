import type { Memory } from '../contract/memory.js'

/** How one backend of a chain is. */
export interface MemberStatus {
  /** Its name, with a number where a chain has several of a kind: `sqlite`, `sqlite#2`. */
  readonly name: string
  readonly healthy: boolean
  readonly serving: boolean
  /** Why it was last found away, or null where it never was. Never a secret. */
  readonly reason: string | null
  /** Writes that it keeps for the first backend. As of the last look, at most `checkInterval` ago. */
  readonly waiting: number
}

/** A write that the first backend refused for good. */
export interface ParkedEntry {
  readonly id: string
  readonly tenantId: string
  /** When it was written. */
  readonly at: Date
  /** Such as `messages.append`. */
  readonly verbs: readonly string[]
  /** Why it was refused. Never content. */
  readonly reason: string
  /** The backend whose journal holds it. */
  readonly backend: string
}

export interface FallbackStatus {
  /** The name of the backend that serves. */
  readonly serving: string
  /** Whether that is not the first one. */
  readonly degraded: boolean
  /** Of the outage, or null where there is none. */
  readonly epoch: number | null
  /** Writes of outages that the first backend does not have yet. */
  readonly journal: number
  /** The oldest 100. */
  readonly parked: readonly ParkedEntry[]
  readonly backends: readonly MemberStatus[]
}

/** That another backend serves from now on. */
export interface SwitchEvent {
  readonly from: string
  readonly to: string
  /** Why the former does not serve any more. Never a secret. */
  readonly reason: string
  /** Of the outage that began; null where the first backend serves again. */
  readonly epoch: number | null
}
export type SwitchListener = (event: SwitchEvent) => void

export interface HandBackReport {
  /** Entries that the first backend has now. */
  readonly handedBack: number
  /** Entries that it refused for good. */
  readonly parked: number
  /** Whether nothing is left and the first backend serves. */
  readonly finished: boolean
  /** Why not, where it did not finish. */
  readonly reason: string | null
}

/** A memory over several backends, of which the first healthy one serves. */
export interface FallbackMemory extends Memory {
  status(): FallbackStatus
  /** Answers how to unsubscribe. What a listener throws is passed over. */
  onSwitch(listener: SwitchListener): () => void
  /** Tries now to give the first backend what was written while it was away. In the background it goes on by itself. */
  handBack(): Promise<HandBackReport>
}
