import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { withLock } from './lock.js'

const run = promisify(execFile)
const DEPTH = 3
const ALWAYS_THERE = new Set(['libc6', 'libgcc-s1', 'libstdc++6'])

/**
 * Downloads Debian packages without root and unpacks them, with the libraries that `program` needs and the system lacks,
 * in the user's cache folder. Gives the folder that stands for `/`.
 */
export async function fetchDebian(packages: readonly string[], program: string): Promise<string> {
  const target = join(cacheFolder(), `${packages.join('+')}-${process.arch}`)
  if (await exists(join(target, program))) return target
  if (process.platform !== 'linux') throw new Error(`${process.platform} has no Debian packages`)
  return withLock(target, async () => {
    if (await exists(join(target, program))) return target
    await mkdir(dirname(target), { recursive: true })
    const work = await mkdtemp(`${target}.part-`)
    try {
      await fetchInto(work, packages, program)
      await rm(target, { recursive: true, force: true })
      // In one step: whoever looks without the lock sees all of it or nothing.
      await rename(join(work, 'root'), target)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
    return target
  })
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bruno-memory', 'debian')
}

async function fetchInto(work: string, packages: readonly string[], program: string): Promise<void> {
  const apt = await workingApt(work, packages)
  let level = packages
  for (let depth = 0; depth < DEPTH; depth += 1) {
    await unpack(work, apt, level)
    const missing = await missingLibraries(join(work, 'root'), program)
    if (missing.length === 0) return
    level = await librariesOf(apt, level)
  }
  throw new Error(
    `these libraries are still missing: ${(await missingLibraries(join(work, 'root'), program)).join(', ')}`,
  )
}

type Apt = readonly string[]

/** Options under which apt knows the packages: the system's lists, or private ones where those are absent or outdated. */
async function workingApt(work: string, packages: readonly string[]): Promise<Apt> {
  try {
    await download(work, [], packages)
    return []
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error('there is no apt-get here', { cause: error })
  }
  const state = join(work, 'apt')
  await mkdir(join(state, 'lists', 'partial'), { recursive: true })
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true })
  const places = [`Dir::State::lists=${join(state, 'lists')}`, `Dir::Cache=${join(state, 'cache')}`]
  const options = [...places, 'Debug::NoLocking=1', 'APT::Sandbox::User='].flatMap((option) => ['-o', option])
  await command('apt-get', [...options, '-qq', 'update'], work)
  return options
}

async function unpack(work: string, apt: Apt, packages: readonly string[]): Promise<void> {
  await download(work, apt, packages)
  const folder = join(work, 'packages')
  for (const file of await readdir(folder)) {
    await command('dpkg-deb', ['-x', join(folder, file), join(work, 'root')], work)
  }
  await rm(folder, { recursive: true })
}

async function download(work: string, apt: Apt, packages: readonly string[]): Promise<void> {
  const folder = join(work, 'packages')
  await mkdir(folder, { recursive: true })
  await command('apt-get', [...apt, '-qq', 'download', ...packages], folder)
}

async function missingLibraries(root: string, program: string): Promise<string[]> {
  const folders = await command('find', [join(root), '-name', '*.so*', '-printf', '%h:'], root)
  const { stdout } = await run('ldd', [join(root, program)], { env: { ...process.env, LD_LIBRARY_PATH: folders } })
  return stdout.split('\n').flatMap((line) => /^\s*(\S+) => not found/.exec(line)?.[1] ?? [])
}

async function librariesOf(apt: Apt, packages: readonly string[]): Promise<string[]> {
  const listing = await command('apt-cache', [...apt, 'depends', '--important', ...packages], '/')
  const names = listing.split('\n').flatMap((line) => /^\s*\|?Depends: (lib\S+)$/.exec(line)?.[1] ?? [])
  return [...new Set(names)].filter((name) => !ALWAYS_THERE.has(name))
}

async function command(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await run(program, args, { cwd, env: { ...process.env, LC_ALL: 'C' } })
  return stdout
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
