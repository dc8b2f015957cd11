import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.js'

const GROUND = dirname(fileURLToPath(import.meta.url))
const STAMP = join(GROUND, 'node_modules', '.installed')
const ERROR_LINES = 15

const groundRequire = createRequire(join(GROUND, 'package.json'))
let installed: Promise<void> | undefined

/** Installs the ground's own packages where they are missing or differ from its lockfile. */
export function ensureInstalled(): Promise<void> {
  installed ??= install().catch((error: unknown) => {
    installed = undefined
    throw error
  })
  return installed
}

/** The main file of an installed package, or undefined where it does not exist for this platform. */
export async function findInstalled(name: string): Promise<string | undefined> {
  await ensureInstalled()
  try {
    return groundRequire.resolve(name)
  } catch {
    return undefined
  }
}

async function install(): Promise<void> {
  if (await isCurrent()) return
  await withLock(GROUND, async () => {
    if (await isCurrent()) return
    console.error('test ground: installing its packages (once, about 180 MB)')
    await npmCi()
    await writeFile(STAMP, await fingerprint())
  })
}

async function isCurrent(): Promise<boolean> {
  const stamp = await readFile(STAMP, 'utf8').catch(() => undefined)
  return stamp === (await fingerprint())
}

async function fingerprint(): Promise<string> {
  const lockfile = await readFile(join(GROUND, 'package-lock.json'))
  return `${createHash('sha256').update(lockfile).digest('hex')} ${process.platform} ${process.arch}\n`
}

function npmCi(): Promise<void> {
  // PostgreSQL's package makes its library links in an install script, and without optional packages there are no servers:
  // neither may be switched off by the developer's own npm settings.
  const args = ['ci', '--prefix', GROUND, '--ignore-scripts=false', '--include=optional', '--loglevel=error']
  return new Promise((resolve, reject) => {
    execFile('npm', args, { cwd: GROUND, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error === null) resolve()
      else reject(new Error(installError(`${stdout}\n${stderr}`.trim() || error.message), { cause: error }))
    })
  })
}

function installError(output: string): string {
  const lines = output.split('\n').slice(0, ERROR_LINES).join('\n')
  return `the packages of test/ground could not be installed; run "npm ci --prefix test/ground" to see why, or set
POSTGRESQL_URL, REDIS_URL, CHROMA_URL and QDRANT_URL to servers that run already (compose.yaml starts them):\n${lines}`
}
