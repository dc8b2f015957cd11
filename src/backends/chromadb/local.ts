import { ConfigurationError } from '../../errors.js'
import { prepareFolder } from './local-folder.js'
import type { LOOPBACK } from './local-line.js'
import { type Environment, findPrograms, type Program } from './local-programs.js'
import { LocalSession } from './local-session.js'

export interface LocalOptions {
  /** The folder of the data, made if it is not there. All processes that name it share one server. */
  readonly persistDirectory: string
  /** The server program: a path, a name on PATH, or the path of a native binding (`*.node`). */
  readonly chromaCommand?: string
  /** The whole of what the search and the server may see; by default the environment of this process. */
  readonly environment?: Environment
  /** Milliseconds until a server that does not come up is an error; 60,000 by default. */
  readonly startTimeout?: number
}

/** A server of Chroma on this machine that runs for as long as somebody uses it. */
export interface LocalServer {
  readonly host: typeof LOOPBACK
  /** Where it listens now. It changes only when a server that died could not have its port again: read it each time. */
  readonly port: number
  /**
   * Resolves when the server answers: at once, or after a server or keeper that died has been replaced. For a caller
   * whose request was refused, before it tries again.
   */
  ready(): Promise<void>
  /** The last user's `close` ends the server, a few seconds later. */
  close(): Promise<void>
}

const START_TIMEOUT = 60_000

/**
 * Opens the folder with the server that runs on it already, or with a new one. Throws ConfigurationError when the folder
 * or the program cannot be used, ConnectionError when the server does not stay up, TimeoutError when it takes too long.
 */
export async function openLocal(options: LocalOptions): Promise<LocalServer> {
  const { chromaCommand, environment = process.env } = options
  return openWith(options, await findPrograms({ chromaCommand, environment, from: import.meta.url }))
}

/** Opens the folder with one of these programs; `openLocal` without the search for them. */
export async function openWith(options: LocalOptions, programs: readonly Program[]): Promise<LocalServer> {
  const { environment = process.env, startTimeout = START_TIMEOUT } = options
  if (!(startTimeout > 0)) throw new ConfigurationError('option startTimeout: milliseconds above 0 are needed')
  const folder = await prepareFolder(options.persistDirectory)
  const session = new LocalSession({ folder, programs, environment, startTimeout })
  try {
    await session.ready()
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}
