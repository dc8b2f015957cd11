import type { QdrantOptions } from '../../contract/options.js'
import type { TransferSource } from '../../contract/transfer.js'
import { openVectorSource } from '../vector/transfer-source.js'
import { QdrantStore } from './store.js'

/** Reads a collection as it is, while others use it. */
export const qdrantTransferSource = (options: QdrantOptions): Promise<TransferSource> =>
  openVectorSource('qdrant', new QdrantStore(options))
