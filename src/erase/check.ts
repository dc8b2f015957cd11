import type { EraseOptions, ErasureSubject, RetentionOptions, RetentionPolicy } from '../contract/erase.js'
import { ValidationError } from '../errors.js'
import { checkFlag, checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import { batchSize } from '../repository/purge-options.js'

/** A hundred years. */
const MAX_DAYS = 36_525
const MAX_MESSAGES = 1_000_000_000
const DEADLINE = 60_000

export function checkSubject(subject: unknown): ErasureSubject {
  checkNames(subject, ['tenantId', 'userId'], 'subject')
  const { tenantId, userId } = subject as Partial<ErasureSubject>
  if (tenantId === undefined)
    throw new ValidationError('tenantId', 'is required: an erasure names its tenant, also where there is only one')
  checkId(tenantId, 'tenantId')
  // A user id that was lost on its way must not erase the whole tenant.
  if (Object.hasOwn(subject, 'userId')) checkId(userId, 'userId')
  return userId === undefined ? { tenantId } : { tenantId, userId }
}

export interface CheckedErasure extends Pick<EraseOptions, 'embeddingCache' | 'onProgress'> {
  readonly dryRun: boolean
  readonly scrub: boolean
  readonly batch: number
  readonly exports: readonly string[]
  readonly deadline: number
}

export function checkErasure(options: EraseOptions): CheckedErasure {
  checkNames(options, ['dryRun', 'scrub', 'batch', 'exports', 'embeddingCache', 'deadline', 'onProgress'])
  const { batch, exports = [], deadline = DEADLINE, embeddingCache, onProgress } = options
  if (!Array.isArray(exports) || !exports.every((path) => typeof path === 'string'))
    throw new ValidationError('exports', 'must be an array of paths')
  if (!(Number.isInteger(deadline) && deadline >= 1 && deadline < 2 ** 31))
    throw new ValidationError('deadline', 'must be a number of milliseconds of at least 1')
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new ValidationError('onProgress', 'must be a function')
  if (embeddingCache !== undefined && typeof embeddingCache?.removeMany !== 'function')
    throw new ValidationError('embeddingCache', 'must have the function removeMany')
  return {
    dryRun: checkFlag(options.dryRun, 'dryRun'),
    scrub: options.scrub === undefined || checkFlag(options.scrub, 'scrub'),
    batch: batchSize({ batch }),
    exports: [...exports],
    deadline,
    embeddingCache,
    onProgress,
  }
}

function checkNumber(value: unknown, field: string, min: number, max: number): void {
  if (value === undefined) return
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max)
    throw new ValidationError(field, `must be a number from ${min} to ${max.toLocaleString('en-US')}`)
}

const RULES = [
  'messageDays',
  'messagesPerConversation',
  'inactiveConversationDays',
  'memoryDays',
  'endedSessionDays',
] as const

/** A policy with something in it: one that names nothing is a mistake. */
export function checkPolicy(policy: RetentionPolicy): RetentionPolicy {
  checkNames(policy, [...RULES, 'keepSystem'], 'policy')
  const { messagesPerConversation: most } = policy
  for (const rule of RULES)
    if (rule !== 'messagesPerConversation') checkNumber(policy[rule], `policy.${rule}`, 0, MAX_DAYS)
  checkNumber(most, 'policy.messagesPerConversation', 0, MAX_MESSAGES)
  if (most !== undefined && !Number.isInteger(most))
    throw new ValidationError('policy.messagesPerConversation', 'must be an integer')
  checkFlag(policy.keepSystem, 'policy.keepSystem')
  if (RULES.every((rule) => policy[rule] === undefined))
    throw new ValidationError('policy', `must name one of ${RULES.join(', ')}`)
  return { ...policy }
}

export function checkRetention(options: RetentionOptions): RetentionOptions {
  checkNames(options, ['tenantId', 'dryRun', 'batch'])
  if (options.tenantId !== undefined) checkId(options.tenantId, 'tenantId')
  checkFlag(options.dryRun, 'dryRun')
  batchSize({ batch: options.batch })
  return { ...options }
}
