import { existsSync } from 'node:fs'
import type { ChromaOptions } from '../../contract/options.js'
import type { TransferSource } from '../../contract/transfer.js'
import { ConfigurationError } from '../../errors.js'
import { openVectorSource } from '../vector/transfer-source.js'
import { ChromaStore } from './store.js'

/** Reads collections as they are, while others use them. */
export async function chromaTransferSource(options: ChromaOptions): Promise<TransferSource> {
  const { persistDirectory } = options
  // A server of our own would make the folder.
  if (persistDirectory !== undefined && !existsSync(persistDirectory))
    throw new ConfigurationError(`there is no memory at ${persistDirectory}`)
  return openVectorSource('chromadb', new ChromaStore(options))
}
