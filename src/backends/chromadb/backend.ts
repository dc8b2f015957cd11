import type { Backend } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { Means } from '../../contract/factory.js'
import type { ChromaOptions } from '../../contract/options.js'
import { VectorBackend } from '../vector/backend.js'
import { ChromaStore } from './store.js'

/** The backend for vectors on one machine: a server, or one of our own over a folder. */
export const chromaBackend = (settings: ChromaOptions & Means, capabilities: Capabilities): Backend =>
  new VectorBackend('chromadb', settings, capabilities, new ChromaStore(settings))
