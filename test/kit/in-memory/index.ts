import type { BackendFactory } from '../../../src/backend-kit.js'
import { ConfigurationError, registerBackend } from '../../../src/index.js'
import { InMemoryBackend } from './backend.js'

export interface InMemoryOptions {
  /** Memories of one name share their records; default: each has its own. */
  readonly storeName?: string | undefined
}

const SCHEME = 'in-memory-of'

const factory: BackendFactory<InMemoryOptions> = {
  options: ['storeName'],
  schemes: [SCHEME],
  fromUrl: (url) => ({ storeName: url.slice(SCHEME.length + 1) }),
  capabilities({ storeName }) {
    if (storeName !== undefined && (typeof storeName !== 'string' || storeName === ''))
      throw new ConfigurationError('option storeName: must be a name')
    return {
      users: true,
      conversations: true,
      messages: true,
      sessions: true,
      memories: true,
      documents: false,
      textSearch: false,
      vectorSearch: false,
      events: false,
      rateLimits: false,
      atomicUnit: true,
      positions: 'counter',
      durability: 'none',
    }
  },
  create: ({ storeName, limits }, { clock, newId }, capabilities) =>
    new InMemoryBackend({ storeName, limits, clock, newId }, capabilities),
}

/** Makes `createBackend('in-memory')` and `createBackend('in-memory-of:some-name')` known. */
export const registerInMemory = (): void => registerBackend('in-memory', factory)
