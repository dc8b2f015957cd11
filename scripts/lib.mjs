// Shared by the scripts that must run before anything is installed: Node's own modules only.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a command in the project's root with its output shown; ends this process if it fails. */
export function step(title, command, args, options = {}) {
  console.log(`\n— ${title}`)
  const started = Date.now()
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) console.error(error.message)
  if (status !== 0 && !options.mayFail) {
    console.error(`\n${title} failed (exit code ${status})`)
    process.exit(status ?? 1)
  }
  console.log(`  ${((Date.now() - started) / 1000).toFixed(1)} s`)
  return status ?? 1
}

/** Installs the dependencies of the lockfile, unless this very lockfile is installed already. */
export function install() {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.version)
    .digest('hex')
  const stamp = join(root, 'node_modules', '.installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  step('install', 'npm', ['ci', '--no-audit', '--no-fund'])
  writeFileSync(stamp, hash)
}

export const bin = (name) => join(root, 'node_modules', '.bin', name)
export const build = () => step('build', bin('tsdown'), ['--log-level', 'warn'])
