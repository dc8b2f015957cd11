import type { Backend } from '../../contract/backend.js'
import type { Capabilities } from '../../contract/capabilities.js'
import type { Means } from '../../contract/factory.js'
import type { QdrantOptions } from '../../contract/options.js'
import { VectorBackend } from '../vector/backend.js'
import { QdrantStore } from './store.js'

/** The backend for vectors at scale, with rich filters. */
export const qdrantBackend = (settings: QdrantOptions & Means, capabilities: Capabilities): Backend =>
  new VectorBackend('qdrant', settings, capabilities, new QdrantStore(settings))
