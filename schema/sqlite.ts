import { toSqlite, toSqliteSequence } from './dialect/sqlite.js'
import * as tables from './tables.js'

export const revision = toSqliteSequence(tables.revision)
export const users = toSqlite(tables.users)
export const conversations = toSqlite(tables.conversations)
export const messages = toSqlite(tables.messages)
export const sessions = toSqlite(tables.sessions)
export const memories = toSqlite(tables.memories)
export const documents = toSqlite(tables.documents)
export const embeddings = toSqlite(tables.embeddings)
export const spaces = toSqlite(tables.spaces)
export const analyzers = toSqlite(tables.analyzers)
export const followers = toSqlite(tables.followers)
export const outbox = toSqlite(tables.outbox)
export const operations = toSqlite(tables.operations)
export const journal = toSqlite(tables.journal)
export const fallbackState = toSqlite(tables.fallbackState)
export const transfers = toSqlite(tables.transfers)
