import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
}
let project = ''
let files: string[] = []

/** A project that depends on the packed tarball: unpacked where npm would put it, beside the declared dependencies only. */
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'bruno-memory-packed-'))
  const modules = join(project, 'node_modules')
  mkdirSync(modules)
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', project], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString(),
  ) as [{ filename: string; files: { path: string }[] }]
  files = packed.files.map((file) => file.path)
  execFileSync('tar', ['xzf', join(project, packed.filename), '-C', project])
  execFileSync('mv', [join(project, 'package'), join(modules, 'bruno-memory')])
  const tools = ['drizzle-kit', 'express-session', 'vitest', 'fast-check', 'typescript', '@types/node']
  for (const name of [...Object.keys(manifest.dependencies), 'bindings', 'file-uri-to-path', ...tools]) {
    if (name.includes('/')) mkdirSync(join(modules, name.split('/')[0] as string), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
}, 120_000)
afterAll(() => rmSync(project, { recursive: true, force: true }))

/** The programs of a text. */
const blocksOf = (path: string): string[] =>
  [...readFileSync(join(root, path), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string)

/** What an author of a backend writes. */
const KIT = `
import { createBackend, type Memory } from 'bruno-memory'
import { describeCaches, describePrompts } from 'bruno-memory/testing'

const opened: Memory[] = []
const harness = {
  name: 'sqlite, packed',
  async create(options: object) {
    const memory = createBackend('sqlite', { databasePath: ':memory:', ...options })
    opened.push(memory)
    return memory
  },
  async dispose() {
    await Promise.all(opened.splice(0).map((memory) => memory.close()))
  },
  lacks: ['vectorSearch', 'events', 'rateLimits'] as const,
  deviations: { 'private-storage': 'it is in memory', 'own-cache': 'it has none' },
}
describeCaches(harness)
describePrompts(harness)
`
const KIT_TYPES = {
  compilerOptions: {
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  },
}

function run(name: string, text: string, ...args: string[]): string {
  const folder = mkdtempSync(join(project, 'run-'))
  writeFileSync(join(folder, name), text)
  return execFileSync(process.execPath, [...args, name], { cwd: folder, encoding: 'utf8' })
}

describe('the packed package', () => {
  it('holds what it needs and nothing of the workshop', () => {
    for (const needed of [
      'dist/index.mjs',
      'dist/index.cjs',
      'dist/index.d.mts',
      'dist/index.d.cts',
      'dist/cli.mjs',
      'dist/backend.mjs',
      'dist/testing.d.mts',
      'drizzle.config.ts',
      'migrations/sqlite/0000_initial.sql',
      'migrations/postgresql/meta/_journal.json',
      'README.md',
      'LICENSE',
    ])
      expect(files).toContain(needed)
    expect(files.filter((file) => /^(src|test|scripts|examples|\.|node_modules)/.test(file))).toEqual([])
  })

  it('is imported by ESM and required by CommonJS, with the same names', () => {
    const names = (text: string, name: string) => JSON.parse(run(name, text)) as string[]
    const esm = names("import * as m from 'bruno-memory'; console.log(JSON.stringify(Object.keys(m).sort()))", 'a.mjs')
    const cjs = names("console.log(JSON.stringify(Object.keys(require('bruno-memory')).sort()))", 'a.cjs')
    expect(esm).toEqual(cjs)
    expect(esm).toContain('createBackend')
  })

  it('loads no client and no ORM before a backend is opened', () => {
    const loaded = run(
      'a.cjs',
      "require('bruno-memory').createBackend('sqlite', { databasePath: './m.db' }); console.log(JSON.stringify(Object.keys(require.cache)))",
    )
    expect(loaded).not.toMatch(/better-sqlite3|drizzle-orm|stemmers/)
    expect(loaded).toMatch(/bruno-memory/)
  })

  it('moves a memory, imported by ESM and required by CommonJS', () => {
    const body = `
      const memory = createBackend('sqlite:./from.db')
      await memory.memories.add({ userId: 'ada', content: 'lives in Lisbon' })
      await memory.close()
      const there = await transfer({ from: { url: 'sqlite:./from.db' }, to: { url: 'archive:./a.bma' }, jobs: './jobs' })
      const back = await transfer({ from: { url: 'archive:./a.bma' }, to: { url: 'sqlite:./to.db' } })
      console.log(there.verified.equal, back.verified.equal, JSON.stringify(back.copied))`
    const said = 'true true {"user":1,"memory":1}\n'
    expect(run('a.mjs', `import { createBackend, transfer } from 'bruno-memory';${body}`)).toBe(said)
    const required = `const { createBackend, transfer } = require('bruno-memory');(async () => {${body}})()`
    expect(run('a.cjs', required)).toBe(said)
  })

  it('is made of parts that import one another in no circle: one would be used before it is made', () => {
    const dist = join(root, 'dist')
    const parts = readdirSync(dist).filter((name) => name.endsWith('.mjs'))
    const importsOf = new Map(
      parts.map((name) => {
        const text = readFileSync(join(dist, name), 'utf8')
        return [name, [...text.matchAll(/^import .*? from "\.\/([^"]+)";$/gm)].map(([, to = '']) => to)] as const
      }),
    )
    const through = new Set<string>()
    const circles: string[] = []
    const visit = (name: string, path: readonly string[]): void => {
      if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' → '))
      if (path.includes(name) || through.has(name)) return
      for (const to of importsOf.get(name) ?? []) visit(to, [...path, name])
      through.add(name)
    }
    for (const name of parts) visit(name, [])
    expect(parts.length).toBeGreaterThan(10)
    expect(circles).toEqual([])
  })

  it('offers its tables to queries by Drizzle, in both dialects', () => {
    const text =
      "import * as s from 'bruno-memory/schema/sqlite'; import * as p from 'bruno-memory/schema/postgresql'; console.log(JSON.stringify([Object.keys(s).sort(), Object.keys(p).sort()]))"
    const [sqlite, postgresql] = JSON.parse(run('a.mjs', text)) as [string[], string[]]
    expect(sqlite).toEqual(postgresql)
    expect(sqlite).toContain('messages')
  })

  it('gives authors of backends the classes that its users have', () => {
    const text =
      "const { checkId, matches } = require('bruno-memory/backend'); try { checkId('', 'id') } catch (e) { console.log(e instanceof require('bruno-memory').ValidationError, e.field, typeof matches) }"
    expect(run('a.cjs', text)).toBe('true id function\n')
    const imports =
      "import { checkId, matches } from 'bruno-memory/backend'; import { ValidationError } from 'bruno-memory';"
    const body = text.slice(text.indexOf('try')).replace("require('bruno-memory').", '')
    expect(run('a.mjs', imports + body)).toBe('true id function\n')
  })

  it('keeps the sessions of express-session, imported by ESM and required by CommonJS', () => {
    const body = `
      const memory = createBackend('sqlite', { databasePath: ':memory:' })
      const store = new MemorySessionStore({ memory })
      const done = (error) => error ? console.log(error) : store.get('s', (_, data) => {
        console.log(store instanceof session.Store, data.visits)
        memory.close()
      })
      store.set('s', { cookie: {}, visits: 3 }, done)`
    const esm = `
      import session from 'express-session'
      import { createBackend } from 'bruno-memory'
      import { MemorySessionStore } from 'bruno-memory/express-session'`
    const cjs = `
      const session = require('express-session')
      const { createBackend } = require('bruno-memory')
      const { MemorySessionStore } = require('bruno-memory/express-session')`
    expect(run('a.mjs', esm + body)).toBe('true 3\n')
    expect(run('a.cjs', cjs + body)).toBe('true 3\n')
    const refused = 'try { new MemorySessionStore({}) } catch (e) { console.log(e instanceof ConfigurationError) }'
    expect(run('a.mjs', `${esm.replace('createBackend', 'ConfigurationError')}\n${refused}`)).toBe('true\n')
    expect(run('a.cjs', `${cjs.replace('createBackend', 'ConfigurationError')}\n${refused}`)).toBe('true\n')
  })

  it('runs its conformance kit in a project of somebody else’s, types included', () => {
    const folder = mkdtempSync(join(project, 'kit-'))
    writeFileSync(join(folder, 'kit.test.ts'), KIT)
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(KIT_TYPES))
    const tool = (path: string) => join(project, 'node_modules', path)
    execFileSync(process.execPath, [tool('typescript/bin/tsc'), '-p', '.'], { cwd: folder, stdio: 'inherit' })
    const args = [tool('vitest/vitest.mjs'), 'run', '--root', folder, '--reporter', 'json']
    const { VITEST: _own, ...env } = process.env
    const report = JSON.parse(execFileSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' })) as {
      numPassedTests: number
      numFailedTests: number
    }
    expect(report.numFailedTests).toBe(0)
    expect(report.numPassedTests).toBeGreaterThan(40)
  }, 60_000)

  it('says what to install where a client is missing', () => {
    const text =
      "const m = require('bruno-memory').createBackend('redis'); m.connect().catch((error) => console.log(error.code, error.message))"
    expect(run('a.cjs', text)).toBe('configuration Redis needs its client: npm install ioredis\n')
    const postgres = text.replace("'redis'", "'postgres://a@127.0.0.1/b'")
    expect(run('a.cjs', postgres)).toMatch(/^configuration .*npm install postgres/)
  })

  it('runs its command line', () => {
    const cli = join(project, 'node_modules', 'bruno-memory', 'dist', 'cli.mjs')
    expect(execFileSync(process.execPath, [cli, '--version'], { encoding: 'utf8' }).trim()).toBe('0.1.0')
    expect(execFileSync(process.execPath, [cli, '--help'], { encoding: 'utf8' })).toMatch(
      /import[\s\S]*search[\s\S]*migrate/,
    )
  })

  it('migrates by drizzle-kit from where it is installed', () => {
    const kit = join(project, 'node_modules', 'drizzle-kit', 'bin.cjs')
    const args = [kit, 'migrate', '--config', 'node_modules/bruno-memory/drizzle.config.ts']
    execFileSync(process.execPath, args, {
      cwd: project,
      env: { ...process.env, DATABASE_URL: './kit.db' },
      stdio: 'ignore',
    })
    const text =
      "const m = require('bruno-memory').createBackend('sqlite', { databasePath: process.argv[2], migrate: 'check' }); m.connect().then(() => m.close()).then(() => console.log('current'))"
    writeFileSync(join(project, 'check.cjs'), text)
    expect(execFileSync(process.execPath, ['check.cjs', './kit.db'], { cwd: project, encoding: 'utf8' })).toBe(
      'current\n',
    )
  }, 120_000)

  it('takes a backend from elsewhere, as docs/backends.md has it', () => {
    const [example] = blocksOf('docs/backends.md')
    expect(run('block.mjs', example as string)).toBe('Ada\n')
  })

  it('does what the README says, as pasted', () => {
    const blocks = blocksOf('README.md')
    expect(blocks.length).toBeGreaterThanOrEqual(2)
    const outputs = blocks.map((block) => run('block.mjs', block))
    expect(outputs[0]).toMatch(/I moved to Lisbon in May[\s\S]*How is the new flat/)
    expect(outputs[1]).toBe('lives in Lisbon\n')
    expect(readdirSync(project).length).toBeGreaterThan(3)
  })
})
