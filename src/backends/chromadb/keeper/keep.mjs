import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Door } from './door.mjs'
import { filesOf, readState, removeState, writeState } from './files.mjs'
import { Lock } from './lock.mjs'
import { isFree } from './ports.mjs'
import { endGroup, membersOf } from './processes.mjs'
import { Supervisor } from './supervisor.mjs'

/** Another keeper that is just ending is waited for so long; one that stays is the keeper. */
const LOCK_MS = 300
/** A server whose keeper was killed ends by itself within this time. */
const LAST_SERVER_MS = 8_000
/** How long the server stays without a user: a command that is called again and again finds it running. */
const LINGER_MS = 5_000
const WATCH_MS = 1_000
/** Time for the last news to arrive. */
const FAREWELL_MS = 250

/** Owns the server of a folder until nobody uses it; ends at once where another keeper does. */
export async function keep(folder, programs) {
  // The asking process may end, or be gone already: nothing is told to it then.
  process.on('disconnect', () => {})
  for (const signal of ['SIGHUP', 'SIGPIPE']) process.on(signal, () => {})
  try {
    const lock = await Lock.wait(filesOf(folder).keeperLock, LOCK_MS)
    if (lock) await new Keeper(folder, programs, lock).run()
  } catch (error) {
    await tell({ failed: error.message, code: error.code })
  }
  process.exit(0)
}

class Keeper {
  #folder
  #lock
  #token = randomBytes(24).toString('base64url')
  #door = new Door(this.#token, () => this.#counted())
  #supervisor
  #port
  #linger
  #ordered = false

  constructor(folder, programs, lock) {
    this.#folder = folder
    this.#lock = lock
    this.#supervisor = new Supervisor(folder, programs, {
      claim: (port) => this.#claim(port),
      news: (news) => this.#door.tell(news),
      began: (server) => this.#write({ group: server.group, port: server.port }),
    })
  }

  async run() {
    const last = readState(this.#folder)
    await outlive(this.#folder, last)
    this.#port = await this.#door.claim(last?.port)
    this.#write(null)
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => this.#order())
    setInterval(() => this.#watch(), WATCH_MS)
    this.#counted()
    if (process.connected) process.disconnect()
    while (!this.#ordered) {
      const outcome = await this.#supervisor.run(this.#port + 1)
      if (outcome === 'failed') await sleep(FAREWELL_MS)
      // Who has come while the server was stopping gets a new one.
      if (outcome === 'failed' || this.#door.users === 0) break
    }
    this.#leave()
  }

  async #claim(port) {
    if (await isFree(port)) return port
    this.#port = await this.#door.claim()
    return this.#port + 1
  }

  #write(server) {
    writeState(this.#folder, { version: 1, pid: process.pid, port: this.#port, token: this.#token, server })
  }

  #counted() {
    clearTimeout(this.#linger)
    if (this.#door.users === 0) this.#linger = setTimeout(() => void this.#supervisor.stop(), LINGER_MS)
  }

  #order() {
    this.#ordered = true
    void this.#supervisor.stop()
  }

  /** A folder that has been removed, and perhaps made again, is nobody's or another keeper's. */
  #watch() {
    if (!this.#isOwner()) this.#order()
  }

  #isOwner() {
    return this.#lock.isAtItsPlace() && readState(this.#folder)?.token === this.#token
  }

  /** In one go: whoever is waiting for the lock finds everything or nothing. */
  #leave() {
    this.#door.shut()
    if (!this.#isOwner()) return
    removeState(this.#folder)
    Lock.try(filesOf(this.#folder).serverLock)?.remove()
    this.#lock.remove()
  }
}

/** Waits until the server of an earlier keeper, which was killed, is gone, and ends one that stays. */
async function outlive(folder, last) {
  const path = filesOf(folder).serverLock
  let lock = await Lock.wait(path, LAST_SERVER_MS)
  // Without a lock as well: a program that was stood over lives on when all that is ours was killed.
  await endLeftover(folder, last?.server)
  lock ??= await Lock.wait(path, LOCK_MS)
  if (!lock) throw new Error('another server runs on this folder and does not end')
  lock.release()
}

/** The system may have given the number to others since: only who was started for this folder and port is ended. */
async function endLeftover(folder, server) {
  if (!Number.isInteger(server?.group) || server.group <= 1) return
  const members = await membersOf(server.group)
  if (members.some(({ line }) => line.includes(folder) && line.includes(String(server.port))))
    await endGroup(server.group)
}

function tell(message) {
  return new Promise((resolve) => {
    if (process.connected) process.send(message, () => resolve())
    else resolve()
  })
}
