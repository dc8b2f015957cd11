/** What an open memory can do. Code asks for the capability, never for a backend's name. */
export interface Capabilities {
  readonly users: boolean
  readonly conversations: boolean
  readonly messages: boolean
  readonly sessions: boolean
  readonly memories: boolean
  readonly documents: boolean
  readonly textSearch: boolean
  readonly vectorSearch: boolean
  /** Writes tell listeners and named consumers. */
  readonly events: boolean
  readonly rateLimits: boolean
  /** A unit is all or nothing. */
  readonly atomicUnit: boolean
  /** Where a message's position comes from. */
  readonly positions: 'counter' | 'clock'
  /** `power`: an acknowledged write survives power loss; `process`: it survives a killed process. */
  readonly durability: 'power' | 'process' | 'none'
}
export type Capability = keyof Capabilities
