import type { Capabilities } from '../contract/capabilities.js'

const DURABILITIES = ['none', 'process', 'power'] as const

/**
 * What all backends of a chain can do; positions and durability are the weakest of them. Events and limits belong to one
 * server and are not a chain's: a listener would miss what another backend took.
 */
export function capabilitiesOf(all: readonly Capabilities[]): Capabilities {
  const every = (name: keyof Capabilities): boolean => all.every((each) => each[name] === true)
  const weakest = Math.min(...all.map(({ durability }) => DURABILITIES.indexOf(durability)))
  return {
    users: every('users'),
    conversations: every('conversations'),
    messages: every('messages'),
    sessions: every('sessions'),
    memories: every('memories'),
    documents: every('documents'),
    textSearch: every('textSearch'),
    vectorSearch: every('vectorSearch'),
    events: false,
    rateLimits: false,
    atomicUnit: every('atomicUnit'),
    positions: all.some(({ positions }) => positions === 'clock') ? 'clock' : 'counter',
    durability: DURABILITIES[weakest] ?? 'none',
  }
}
