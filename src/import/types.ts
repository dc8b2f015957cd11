import type { NewConversation, NewDocument, NewMemory, NewMessage, NewSession, NewUser } from '../model/inputs.js'
import type { RecordKind } from '../model/records.js'

/** Those of SQLite files, each recognised by its tables. */
export const SQLITE_FORMATS = ['mastra', 'langgraph', 'mem0'] as const
export type SqliteFormat = (typeof SQLITE_FORMATS)[number]
export const IMPORT_FORMATS = ['chatgpt', 'openai-agents', 'jsonl', 'archive', ...SQLITE_FORMATS] as const
/**
 * `chatgpt`: a ChatGPT data export's conversations.json; `openai-agents`: the items of a session; `jsonl`: one message
 * a line; `archive`: what `export` writes; `mastra`: the file of a LibSQL store; `langgraph`: the
 * file of an SQLite checkpointer; `mem0`: its history file or its file of vectors.
 */
export type ImportFormat = (typeof IMPORT_FORMATS)[number]

/** Where in a file something stands: what an operator needs to find it. */
export interface Place {
  readonly file: string
  /** Counted from 1. */
  readonly line?: number | undefined
  /** Of the conversation in the array, from 0. */
  readonly index?: number | undefined
  /** In bytes, of the decompressed file. */
  readonly offset?: number | undefined
  /** Of an SQLite file. */
  readonly table?: string | undefined
  /** Of the record, where it has one. */
  readonly id?: string | undefined
}

interface Placed {
  /** Null: the tenant that the import was started for. */
  readonly tenant: string | null
  readonly place: Place
  /** About what it takes in memory, in bytes. */
  readonly size: number
}

type WithId<T> = T & { readonly id: string }

/** A record that is to be imported. */
export type RecordItem = Placed &
  (
    | { readonly kind: 'user'; readonly input: WithId<NewUser> }
    /** `repeat`: it was announced before, and stands here again only for its title. */
    | { readonly kind: 'conversation'; readonly input: WithId<NewConversation>; readonly repeat?: boolean }
    /** `userId`, where the source names one, must be the user of the conversation. */
    | {
        readonly kind: 'message'
        readonly conversationId: string
        readonly userId?: string | undefined
        readonly input: WithId<NewMessage>
      }
    | { readonly kind: 'session'; readonly input: WithId<NewSession>; readonly ended: boolean }
    | { readonly kind: 'memory'; readonly input: WithId<NewMemory> }
    | { readonly kind: 'document'; readonly input: NewDocument }
  )

export type ItemOf<K extends RecordKind> = Extract<RecordItem, { readonly kind: K }>

/** A record that is not to be imported, and why: `field` and `reason` without any content. */
export interface LeftOut {
  readonly kind: RecordKind
  readonly outcome: 'skipped' | 'refused'
  readonly field: string
  readonly reason: string
  readonly place: Place
}

/** Rows that are no records of a memory, such as traces: named in the report, and counted with no kind. */
export interface PassedOver {
  readonly kind: null
  readonly what: string
  readonly rows: number
}

export type ImportItem = RecordItem | LeftOut | PassedOver

export const isLeftOut = (item: ImportItem): item is LeftOut => 'outcome' in item
