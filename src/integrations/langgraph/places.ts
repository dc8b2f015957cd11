import { createHash } from 'node:crypto'
import type { RunnableConfig } from '@langchain/core/runnables'
import { ValidationError } from '../../errors.js'

/** A thread's namespace, and a checkpoint of it. */
export interface Place {
  readonly thread: string
  readonly namespace: string
  readonly checkpoint: string | undefined
}

const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('base64url')

/** Whose the conversations of a thread are: all of them go with it. */
export const ownerOf = (thread: string): string => `langgraph:${hash(thread)}`
/** Checkpoints, or the writes that follow them. Names may be longer than ids. */
export const conversationOf = ({ thread, namespace }: Pick<Place, 'thread' | 'namespace'>, what: Kept): string =>
  `langgraph:${what}:${hash([thread, namespace])}`
export type Kept = 'checkpoints' | 'writes'

/** @throws ValidationError where the config names no thread. */
export function placeOf(config: RunnableConfig): Place {
  const { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: checkpoint } = config.configurable ?? {}
  if (typeof thread !== 'string' || thread === '')
    throw new ValidationError('config.configurable.thread_id', 'must be a string')
  return { thread, namespace: namespace ?? '', checkpoint: checkpoint || undefined }
}

export const configOf = ({ thread, namespace, checkpoint }: Place): RunnableConfig => ({
  configurable: { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: checkpoint },
})
