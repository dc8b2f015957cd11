import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The examples of a guide that say they are programs. */
export const programsOf = (path: string): string[] =>
  [...readFileSync(join(root, path), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string)

export type Format = 'commonjs' | 'module'

/** Compiles a program as its reader would, with the package as it is built; answers its folder, and what is wrong. */
export function compile(program: string, format: Format): { readonly folder: string; readonly wrong: string[] } {
  const folder = mkdtempSync(join(root, 'node_modules', '.documented-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'bruno-memory'), 'dir')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: format }))
  const file = join(folder, 'example.ts')
  writeFileSync(file, program)
  const built = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    strict: true,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
  })
  const { diagnostics } = built.emit()
  const all = [...ts.getPreEmitDiagnostics(built), ...diagnostics]
  return { folder, wrong: all.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')) }
}

export interface Running {
  readonly url: string
  /** Sends SIGTERM and answers how the process ended. */
  readonly end: () => Promise<readonly [code: number | null, signal: string | null]>
}

/** Runs what was compiled, until it says where it listens. */
export async function start(folder: string): Promise<Running> {
  const env = { ...process.env, PORT: '0' }
  const child: ChildProcess = spawn(process.execPath, ['example.js'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  let said = ''
  const port = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk
      const found = /port: (\d+)/.exec(said)
      if (found) resolve(found[1] as string)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    void exited.then(() => reject(new Error(`ended before it listened: ${said}`)))
  })
  const end = async () => {
    child.kill('SIGTERM')
    return exited
  }
  return { url: `http://127.0.0.1:${port}`, end }
}
