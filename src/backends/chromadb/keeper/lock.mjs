import { closeSync, openSync, rmSync, statSync, truncateSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'

const STEP_MS = 25

/**
 * SQLite's exclusive lock on an empty file. The system frees it when its holder dies, however that happens: a lock that
 * is only a file with a process id in it stays behind, and of two processes that find it stale at the same moment one
 * removes the fresh lock of the other. It holds wherever Chroma's own database in the same folder can be locked.
 */
export class Lock {
  #path
  #inode
  #database

  constructor(path, inode, database) {
    this.#path = path
    this.#inode = inode
    this.#database = database
  }

  /** Null while another process holds it. */
  static try(path) {
    for (;;) {
      // SQLite would make the file readable for everyone.
      closeSync(openSync(path, 'a', 0o600))
      const inode = inodeOf(path)
      const database = new Database(path, { timeout: 0 })
      const outcome = begin(database)
      const lock = new Lock(path, inode, database)
      if (outcome === 'held' && lock.isAtItsPlace()) return lock
      database.close()
      if (outcome === 'busy') return null
      // Emptied, not removed: the file may be another process's fresh lock by now, which emptying does not harm.
      if (outcome === 'garbage') truncateSync(path)
    }
  }

  static async wait(path, timeoutMs) {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const lock = Lock.try(path)
      if (lock || Date.now() >= deadline) return lock
      await sleep(STEP_MS)
    }
  }

  /** False when the file has been removed under the holder: others lock a new file then. */
  isAtItsPlace() {
    return inodeOf(this.#path) === this.#inode
  }

  release() {
    this.#database.close()
  }

  /** Removes the file while it is still locked; who waits on the removed one finds that it is not at its place. */
  remove() {
    if (this.isAtItsPlace()) rmSync(this.#path, { force: true })
    this.release()
  }
}

function begin(database) {
  try {
    // Nothing is ever written, so that there is nothing to undo: a journal would be one more file in the folder.
    database.pragma('journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
    return 'held'
  } catch (error) {
    if (/^SQLITE_(BUSY|LOCKED)/.test(error.code)) return 'busy'
    if (/^SQLITE_(NOTADB|CORRUPT)/.test(error.code)) return 'garbage'
    throw error
  }
}

function inodeOf(path) {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}
