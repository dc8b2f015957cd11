import type { PurgeOptions } from '../contract/statistics.js'
import { ValidationError } from '../errors.js'
import { checkNames } from '../model/page-options.js'

/** Rows of one batch of a purge. */
export function batchSize(options: PurgeOptions): number {
  checkNames(options, ['batch'])
  const { batch = 500 } = options
  if (!Number.isInteger(batch) || batch < 1 || batch > 10_000)
    throw new ValidationError('batch', 'must be an integer from 1 to 10,000')
  return batch
}
