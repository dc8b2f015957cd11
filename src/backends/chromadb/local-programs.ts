import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { ConfigurationError } from '../../errors.js'

/** A program that may be Chroma's server. */
export interface Program {
  /** `binding`: a native module with the command line in it; `command`: a program that understands `run`. */
  readonly kind: 'binding' | 'command'
  readonly path: string
  /** How it was found, for messages. */
  readonly name: string
}

export type Environment = Readonly<Record<string, string | undefined>>

export const WAYS_OUT =
  'install the client with its server (`npm install chromadb`), name a program with the option chromaCommand or in ' +
  'CHROMA_COMMAND, or use a server that runs already (options host and port)'

/** The package of the client's native binding for this system. */
export function bindingName(): string {
  const library: Partial<Record<NodeJS.Platform, string>> = { linux: '-gnu', win32: '-msvc' }
  return `chromadb-js-bindings-${platform()}-${arch()}${library[platform()] ?? ''}`
}

export interface ProgramSearch {
  readonly chromaCommand?: string | undefined
  readonly environment: Environment
  /** The file from which packages are looked for. */
  readonly from: string
}

/**
 * What to try, in this order: the option, the environment, the binding, `chroma` on PATH. One that is named is the only
 * one. Throws ConfigurationError when there is nothing to try.
 */
export async function findPrograms({ chromaCommand, environment, from }: ProgramSearch): Promise<readonly Program[]> {
  if (chromaCommand !== undefined) return [await named('option chromaCommand', chromaCommand, environment)]
  const command = environment.CHROMA_COMMAND
  if (command !== undefined && command !== '') return [await named('CHROMA_COMMAND', command, environment)]
  const binding = findBinding(from)
  const path = await onPath('chroma', environment)
  const programs: Program[] = []
  if (binding !== undefined) programs.push({ kind: 'binding', path: binding, name: bindingName() })
  if (path !== undefined) programs.push({ kind: 'command', path, name: path })
  if (programs.length > 0) return programs
  throw new ConfigurationError(
    'local mode of ChromaDB needs its server, and there is none: the option chromaCommand is not given, CHROMA_COMMAND ' +
      `is not set, the package ${bindingName()} is not installed, and there is no chroma on PATH; ${WAYS_OUT}`,
  )
}

async function named(source: string, command: string, environment: Environment): Promise<Program> {
  const isPath = /[/\\]/.test(command)
  const path = isPath ? resolve(command) : await onPath(command, environment)
  if (path === undefined) throw new ConfigurationError(`${source}: there is no ${command} on PATH`)
  if (path.endsWith('.node') && (await isFile(path))) return { kind: 'binding', path, name: path }
  if (!(await isExecutable(path)))
    throw new ConfigurationError(`${source}: ${path} is not a program that can be run; ${WAYS_OUT}`)
  return { kind: 'command', path, name: path }
}

/** The binding belongs to the client, so it may be visible only from there. */
function findBinding(from: string): string | undefined {
  const ours = createRequire(from)
  const client = attempt(() => ours.resolve('chromadb'))
  const places = client === undefined ? [ours] : [createRequire(client), ours]
  for (const place of places) {
    const path = attempt(() => place.resolve(bindingName()))
    if (path !== undefined) return path
  }
  return undefined
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

async function onPath(command: string, environment: Environment): Promise<string | undefined> {
  const folders = (environment.PATH ?? environment.Path ?? '').split(delimiter).filter((folder) => folder !== '')
  const endings = platform() === 'win32' ? ['.exe', ''] : ['']
  for (const folder of folders)
    for (const ending of endings) {
      const path = resolve(join(folder, command + ending))
      if (await isExecutable(path)) return path
    }
  return undefined
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

async function isExecutable(path: string): Promise<boolean> {
  if (!(await isFile(path))) return false
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
