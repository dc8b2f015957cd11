import { toPostgresql, toPostgresqlSequence } from './dialect/postgresql.js'
import * as tables from './tables.js'

export const revision = toPostgresqlSequence(tables.revision)
export const users = toPostgresql(tables.users)
export const conversations = toPostgresql(tables.conversations)
export const messages = toPostgresql(tables.messages)
export const sessions = toPostgresql(tables.sessions)
export const memories = toPostgresql(tables.memories)
export const documents = toPostgresql(tables.documents)
export const embeddings = toPostgresql(tables.embeddings)
export const spaces = toPostgresql(tables.spaces)
export const analyzers = toPostgresql(tables.analyzers)
export const followers = toPostgresql(tables.followers)
export const outbox = toPostgresql(tables.outbox)
export const operations = toPostgresql(tables.operations)
export const journal = toPostgresql(tables.journal)
export const fallbackState = toPostgresql(tables.fallbackState)
export const transfers = toPostgresql(tables.transfers)
