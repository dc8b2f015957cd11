import { ValidationError } from '../../errors.js'
import type { JsonObject } from '../../model/records.js'
import { cellInstant, cellJson, cellText, type Row, type SqliteFile } from '../sqlite.js'
import { isObject, objectOf, textOf } from '../values.js'
import { writtenOf } from './messages.js'

/** A thread as its last checkpoint has it. */
export interface Thread {
  readonly id: string
  /** Of its checkpoints, the last one among them. */
  readonly checkpoints: number
  /** The values of its channels; an error where the last checkpoint cannot be read. */
  readonly channels: JsonObject | ValidationError
  readonly startedAt: Date | undefined
  readonly endedAt: Date | undefined
  /** When a message was first in a checkpoint, by its id. */
  readonly times: ReadonlyMap<string, Date>
}

interface Checkpoint {
  readonly ts: Date | undefined
  readonly channels: JsonObject
}

function checkpointOf(row: Row): Checkpoint {
  const type = cellText(row.type) ?? 'json'
  if (type !== 'json')
    throw new ValidationError(
      'type',
      `is ${type.slice(0, 20)}: only checkpoints in JSON, as LangGraph for Node writes them, can be read`,
    )
  const value = cellJson(row.checkpoint, 'checkpoint')
  if (!isObject(value) || !isObject(value.channel_values))
    throw new ValidationError('checkpoint', 'has no channel_values: this is no checkpoint of LangGraph')
  return { ts: cellInstant(value.ts, 'ts'), channels: value.channel_values }
}

/** A message's own id, if it has one. */
export const idOf = (message: unknown): string | null => {
  const id = textOf(writtenOf(message)?.kwargs.id ?? null)
  return id === '' ? null : id
}

/** Collects the checkpoints of one thread, in their order. */
class Collector {
  checkpoints = 0
  channels: JsonObject | ValidationError = {}
  startedAt: Date | undefined
  endedAt: Date | undefined
  readonly times = new Map<string, Date>()
  constructor(readonly id: string) {}

  add(row: Row): void {
    this.checkpoints++
    try {
      const { ts, channels } = checkpointOf(row)
      this.channels = channels
      this.startedAt ??= ts
      this.endedAt = ts
      const { messages } = channels
      if (!ts || !Array.isArray(messages)) return
      for (const message of messages) {
        const id = idOf(message)
        if (id !== null && !this.times.has(id)) this.times.set(id, ts)
      }
    } catch (error) {
      // One that stands before the last is only read for its times.
      if (!(error instanceof ValidationError)) throw error
      this.channels = error
    }
  }
}

/**
 * The threads of a file. Each checkpoint holds all messages, none of which has a time of its own: all of them are read,
 * so that a message has that of the first checkpoint that it stands in. One checkpoint is held at a time.
 */
export function* threadsOf(file: SqliteFile): Generator<Thread> {
  const sql = `SELECT "thread_id", "type", "checkpoint" FROM checkpoints WHERE "checkpoint_ns" = ''
    ORDER BY "thread_id", "checkpoint_id"`
  let thread = undefined as Collector | undefined
  for (const row of file.rows(sql)) {
    const id = cellText(row.thread_id) ?? ''
    if (thread?.id !== id) {
      if (thread) yield thread
      thread = new Collector(id)
    }
    thread.add(row)
  }
  if (thread) yield thread
}

/** Channels that the graph itself needs, and those without a value, hold nothing of a conversation. */
export const otherChannels = (channels: JsonObject): string[] =>
  Object.entries(objectOf(channels)).flatMap(([name, value]) =>
    name === 'messages' || value === null || /^(__|branch:)/.test(name) ? [] : [name],
  )
