import type { SQL } from 'drizzle-orm/sql/sql'
import type * as sqlite from '../../../schema/sqlite.js'
import type { DistanceMetric } from '../../contract/embedder.js'
import type { MetadataFilter } from '../../contract/filter.js'
import type { SearchKind } from '../../model/records.js'
import type { QueryTerm } from '../../search/analyzer.js'
import type { TermStatistics } from '../../search/ranking.js'
import type { Selected, Selection, Statement, Values } from './statement.js'

/** The tables in SQLite's types. PostgreSQL's have the same columns: one cast where its engine is made. */
export type Tables = typeof sqlite
export type MaybePromise<T> = T | Promise<T>

/** Statements on one connection, inside whatever transaction it is in. */
export interface SqlSession {
  all<R>(statement: Statement<R>, values?: Values): MaybePromise<R[]>
  /** Answers how many rows changed. */
  run(statement: Statement<unknown>, values?: Values): MaybePromise<number>
}

/** Where a repository's work runs: on the store, or inside a unit. */
export interface SqlRunner {
  read<T>(work: (session: SqlSession) => Promise<T>): Promise<T>
  /** Reads what is committed now, where `read` may be a little behind of what others wrote. */
  readonly current?: <T>(work: (session: SqlSession) => Promise<T>) => Promise<T>
  /** All or nothing. The work may be run more than once: it must not keep anything from an earlier run. */
  write<T>(work: (session: SqlSession) => Promise<T>): Promise<T>
  /** Absent where it would save nothing. */
  readonly appends?: Appends
}

export type SearchedTable = 'messages' | 'memories' | 'documents'
export const TABLE_OF: { readonly [K in SearchKind]: SearchedTable } = {
  message: 'messages',
  memory: 'memories',
  document: 'documents',
}

/** What differs between the SQL engines, and nothing else. */
export interface SqlEngine {
  readonly tables: Tables
  /** Draws the store-wide revision, after the row's lock. */
  readonly revision: SQL
  /** `join`, or the engine's way to say that the left side is read first, where its planner would not see it. */
  readonly join: SQL
  /** The engine's own clock, in milliseconds since the epoch. */
  readonly databaseTime: SQL
  /** An instant as it is stored, in milliseconds since the epoch. */
  milliseconds(instant: SQL): SQL
  /** Waits until every transaction that is open now has ended; absent where there is one writer at a time. */
  olderEnded?(runner: SqlRunner): Promise<void>
  /**
   * Has the planner look at the tables of records and vectors where it knows of fewer than `least` rows; absent where it
   * needs no such look.
   */
  analyze?(session: SqlSession, least: number): Promise<void>
  /** Sees to it that revisions drawn from now on are higher. */
  raiseRevision(session: SqlSession, above: number): MaybePromise<void>
  /** Ends a SELECT whose rows are about to be changed. */
  readonly forUpdate: SQL
  /** The same where rows that another one has taken are left to it. */
  readonly forClaim: SQL
  /** The row of a table that each of some others names, looked up one by one, however few rows the planner believes there are. */
  lookedUp(look: LookUp): SQL
  /** A statement whose text is made at its first use. */
  statement<S extends Selection>(selection: S, query: () => SQL): Statement<Selected<S>>
  /** A statement that answers no rows. */
  command(query: () => SQL): Statement<never>
  /**
   * Inserts rows and their search index entries. A row that exists is a `ConflictError` whose field names the row by
   * `path(index)`.
   */
  insert(
    session: SqlSession,
    table: SearchedTable,
    rows: readonly Values[],
    path: (index: number) => string,
  ): Promise<void>
  /** Runs an `INSERT … SELECT` into a searched table and adds the index entries. Answers how many rows it made. */
  insertSelect(
    session: SqlSession,
    table: SearchedTable,
    statement: Statement<unknown>,
    values: Values,
  ): Promise<number>
  readonly conditions: SqlConditions
  /** Rows of a table whose text matches, about the best first, `candidates` of them, after the conditions. */
  textSearch(search: TextSearch): SQL
  /** How many rows `textSearch` looks at, in turn, until enough of them meet the conditions; bound as `depth`. */
  depths?(candidates: number): readonly number[]
  /** In how many of the tenant's rows each term occurs. */
  termFrequencies(
    session: SqlSession,
    table: SearchedTable,
    tenantToken: string,
    terms: readonly QueryTerm[],
  ): Promise<number[]>
  /** Absent where the engine cannot compare vectors. */
  readonly vectors?: VectorEngine
}

/** Messages for the end of a conversation. */
export interface Appending {
  readonly tenantId: string
  readonly conversationId: string
  /** The conversation must be this user's. */
  readonly userId: string | undefined
  /** The language that the messages were analysed in: the conversation must be in no other. */
  readonly language: string
  readonly now: Date
  readonly rows: readonly Values[]
  /** Names a row in an error. */
  readonly path: (index: number) => string
}

/** Appends by fewer statements than a transaction needs. */
export interface Appends {
  /**
   * Answers the last position of the messages. `slow` is run where they cannot be appended so: then it answers null. Of
   * one conversation's appends each begins when the one before has ended.
   */
  submit(conversation: string, fast: Appending | null, slow: () => Promise<void>): Promise<number | null>
}

export interface LookUp {
  /** What is looked for, with its alias. */
  readonly rows: SQL
  readonly table: SQL
  readonly columns: SQL
  readonly where: SQL
  /** `forUpdate` or `forClaim`. */
  readonly lock: SQL
}

/** How an engine compares vectors. */
export interface VectorEngine {
  /** The embeddings, under the name `e`. */
  readonly rows: SQL
  /** A question's vector, as it is bound. */
  encode(vector: Float32Array): unknown
  /** The distance of the vector in `e` from the one bound as `vector`; null where it has none. */
  distance(metric: DistanceMetric): SQL
  /** Rows of a record table nearest first, `candidates` of them: every vector that meets the conditions is compared. */
  exact(search: NearestSearch): SQL
  /** The same, by a first look over the tenant's index; null where it has none for such vectors. */
  quick(search: NearestSearch): SQL | null
  /**
   * The rows of vectors that a first look finds nearest, in memory where the engine keeps it there; null where it does
   * not, or not for this session.
   */
  look?(session: SqlSession, part: number, vector: Float32Array, n: number): Promise<Look | null>
  /** The nearest of the rows that `look` found, bound as `looked` and encoded by `encodeRows`. */
  listed(search: NearestSearch): SQL
  /** What `quick` binds beside the values of the search. */
  quickValues(vector: Float32Array): Values
  /** Keeps the index of one vector. */
  index(session: SqlSession, row: VectorIndexRow): Promise<void>
}

export interface Look {
  readonly seqs: readonly number[]
  /** Whether these are all that there are. */
  readonly all: boolean
}

export interface VectorIndexRow {
  readonly tenantId: string
  readonly part: number
  readonly seq: number
  readonly recordSeq: number
  readonly vector: Float32Array
}

export interface NearestSearch {
  readonly metric: DistanceMetric
  readonly table: SearchedTable
  readonly selection: Selection
  readonly join: TextSearch['join']
  /** Conditions on the record. */
  readonly where: SQL
  /** Conditions on the row of the vector that narrow its range, the tenant's first. */
  readonly range: SQL
  /** Whether the conditions are only those of the range, so that the nearest need not meet them one by one first. */
  readonly plain: boolean
}

/** Statements are made once per engine, in whichever repository they are used first. */
export function perEngine<T>(build: (engine: SqlEngine) => T): (engine: SqlEngine) => T {
  const made = new WeakMap<SqlEngine, T>()
  return (engine) => {
    let statements = made.get(engine)
    if (statements === undefined) {
      statements = build(engine)
      made.set(engine, statements)
    }
    return statements
  }
}

export interface TextSearch {
  readonly table: SearchedTable
  readonly selection: Selection
  /** A further table that the conditions name. */
  readonly join: { readonly table: SQL; readonly on: SQL } | null
  readonly where: SQL
  /** How many terms are searched for. */
  readonly terms: number
}

/** Conditions whose SQL differs. */
export interface SqlConditions {
  /** The column is one of the texts bound as `name`, encoded by `texts`. */
  among(column: SQL, name: string): SQL
  texts(values: readonly string[]): unknown
  /** Every name in `metadata` meets its condition. */
  metadata(column: SQL, filter: MetadataFilter): SQL[]
  /** The JSON array of texts has any, or all, of the texts bound as `tags`; how many they are is bound as `tagCount`. */
  tags(column: SQL, match: 'any' | 'all'): SQL
  /** Rows of texts and integers, bound as `name` and encoded by `encodeRows`, under these column names. */
  rows(name: string, columns: Readonly<Record<string, 'text' | 'integer'>>): SQL
  encodeRows(rows: readonly (readonly (string | number)[])[]): unknown
  /** The values that `textSearch` binds. */
  match(tenantToken: string, terms: readonly QueryTerm[], statistics: TermStatistics): Values
}
