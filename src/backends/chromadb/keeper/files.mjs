import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What lies in the folder beside Chroma's own files. */
export const filesOf = (folder) => ({
  state: join(folder, 'bruno-memory.json'),
  keeperLock: join(folder, 'bruno-memory-keeper.lock'),
  serverLock: join(folder, 'bruno-memory-server.lock'),
})

/** The state of a keeper, living or dead; undefined where there is none that can be read. */
export function readState(folder) {
  try {
    return JSON.parse(readFileSync(filesOf(folder).state, 'utf8'))
  } catch {
    return undefined
  }
}

/** Only the holder of the keeper's lock writes; a reader sees the old state or the new one, never a half. */
export function writeState(folder, state) {
  const { state: path } = filesOf(folder)
  const fresh = `${path}.new`
  // One that is left over keeps the permissions that it has.
  rmSync(fresh, { force: true })
  writeFileSync(fresh, JSON.stringify(state), { mode: 0o600 })
  renameSync(fresh, path)
}

export function removeState(folder) {
  const { state } = filesOf(folder)
  rmSync(state, { force: true })
  rmSync(`${state}.new`, { force: true })
}
