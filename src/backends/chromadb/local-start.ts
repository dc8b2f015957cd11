import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigurationError } from '../../errors.js'
import type { Environment, Program } from './local-programs.js'

/**
 * What the keeper and the server see of the environment. They outlive this process, so nothing that is meant for it
 * alone may reach them, such as NODE_OPTIONS; and CHROMA_… would be taken as settings by the server.
 */
const INHERITED = /^(PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|(LD|DYLD)_LIBRARY_PATH|SystemRoot|USERPROFILE)$/i

export interface KeeperProcess {
  readonly pid: number | undefined
  /** False when it has ended, or could not be started. */
  running: boolean
  /** Why it could not begin: the lock or the state could not be written. */
  failed?: string
}

export interface StartKeeper {
  readonly folder: string
  readonly programs: readonly Program[]
  readonly environment: Environment
}

/** Starts a keeper that outlives this process. It ends by itself where the folder has one already. */
export function startKeeper({ folder, programs, environment }: StartKeeper): KeeperProcess {
  const child = spawn(process.execPath, [keeperScript(), 'keep', folder, JSON.stringify(programs)], {
    // Neither a Ctrl-C of our terminal may reach it, nor may it hold our working directory.
    detached: true,
    cwd: parse(folder).root,
    env: Object.fromEntries(Object.entries(environment).filter(([name]) => INHERITED.test(name))),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    windowsHide: true,
  })
  return follow(child)
}

function follow(child: ChildProcess): KeeperProcess {
  const keeper: KeeperProcess = { pid: child.pid, running: true }
  child.on('message', (message: { readonly failed: string }) => {
    keeper.failed = message.failed
  })
  child.once('error', (error) => {
    keeper.failed ??= error.message
    keeper.running = false
  })
  child.once('exit', () => {
    keeper.running = false
  })
  child.unref()
  child.channel?.unref()
  return keeper
}

/** Beside this file as a source, beside the built package otherwise, also where an application has bundled us. */
function keeperScript(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const places = [
    join(here, 'keeper', 'main.mjs'),
    join(here, 'chroma-keeper.mjs'),
    join(here, '..', 'chroma-keeper.mjs'),
  ]
  const found = places.find((path) => existsSync(path)) ?? inPackage()
  if (found === undefined)
    throw new ConfigurationError(
      'local mode of ChromaDB needs the file chroma-keeper.mjs of bruno-memory: do not bundle the package, or copy it beside the bundle',
    )
  return found
}

function inPackage(): string | undefined {
  try {
    const root = dirname(createRequire(import.meta.url).resolve('bruno-memory/package.json'))
    const path = join(root, 'dist', 'chroma-keeper.mjs')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}
