import {
  BrunoMemoryError,
  ConflictError,
  ConnectionError,
  MovedError,
  NotFoundError,
  OverloadedError,
  StorageError,
  TimeoutError,
} from '../../errors.js'

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))

/** SQLite's error as one of ours, by its extended code. SQLite's texts name tables and columns, never values. */
export function translateError(error: unknown): Error {
  if (error instanceof BrunoMemoryError) return error
  const code = codeOf(error)
  if (code === '') return error instanceof Error ? error : new StorageError('SQLite failed', { cause: error })
  const options = { cause: error }
  if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID)/.test(code))
    return new ConflictError('a record with this key exists already', options)
  if (code === 'SQLITE_CONSTRAINT_TRIGGER' && (error as Error).message === 'bruno_memory_moved')
    return new MovedError('this memory has been moved to another store: open that one', options)
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return new NotFoundError('record that this one names', options)
  if (isBusy(error)) return new TimeoutError('the database is locked by another process', options)
  if (code === 'SQLITE_FULL')
    return new StorageError('the disk is full: nothing of this write was stored (SQLITE_FULL)', {
      ...options,
      retryable: true,
    })
  if (code.startsWith('SQLITE_READONLY'))
    return new StorageError(
      `the database cannot be written (${code}): check the permissions of the file and its folder`,
      options,
    )
  if (code === 'SQLITE_NOTADB') return new StorageError('the file is not a SQLite database (SQLITE_NOTADB)', options)
  if (code.startsWith('SQLITE_CORRUPT'))
    return new StorageError(`the database file is damaged (${code}): run \`bruno-memory doctor\``, options)
  if (code.startsWith('SQLITE_CANTOPEN'))
    return new ConnectionError(`the database file cannot be opened (${code})`, { ...options, retryable: false })
  if (code === 'SQLITE_NOMEM' || code === 'SQLITE_TOOBIG')
    return new OverloadedError(`SQLite refused the size of this call (${code})`, { ...options, retryable: false })
  if (code.startsWith('SQLITE_IOERR'))
    return new StorageError(`the disk refused to read or write the database (${code})`, { ...options, retryable: true })
  return new StorageError(`SQLite failed (${code})`, options)
}
