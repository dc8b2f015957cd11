import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'

const here = fileURLToPath(new URL('.', import.meta.url))
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url))

/** A script that plain Node runs. */
export interface BuiltChild extends Disposable {
  readonly script: string
}

/** Builds a program of this folder once: a process from TypeScript sources takes half a second to come up. */
export async function buildChild(file: string): Promise<BuiltChild> {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-child-'))
  symlinkSync(modules, join(folder, 'node_modules'))
  await build({
    entry: [join(here, file)],
    outDir: folder,
    config: false,
    clean: false,
    dts: false,
    format: 'esm',
    logLevel: 'error',
    external: ['better-sqlite3'],
  })
  return {
    script: join(folder, basename(file).replace(/\.ts$/, '.mjs')),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
