import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { cli } from './cli/support.js'
import { freshDatabase, returnDatabases } from './postgresql/support/databases.js'
import { commandsOf } from './support/shell-lines.js'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string
beforeAll(async () => {
  // Inside the project, so that packages are found.
  folder = await mkdtemp(join(root, 'node_modules', '.docs-'))
})
afterAll(async () => {
  await returnDatabases()
  await rm(folder, { recursive: true })
})

/** The blocks of a guide that say they run as pasted. */
function examplesOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  return [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)
}

/** Where the guides name a server of everybody's, the test's own stands. */
async function placed(code: string, run: string): Promise<string> {
  const servers = inject('servers')
  const chroma = new URL(servers.CHROMA_URL)
  const database = "process.env.DATABASE_URL ?? 'postgres://localhost/app'"
  const own = code.includes(database) ? await freshDatabase() : ''
  // Servers that outlive the tests may have something of an earlier run under these names.
  const names = /(collectionName|prefix): '(\w+)'/g
  return code
    .replace(/'bruno-memory\/(langchain|langgraph|openai-agents|ai-sdk)'/g, (_, name) =>
      JSON.stringify(pathToFileURL(join(root, `src/integrations/${name}/index.ts`)).href),
    )
    .replaceAll("'bruno-memory'", JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href))
    .replaceAll("process.env.REDIS_URL ?? 'redis://localhost:6379'", `'${servers.REDIS_URL}'`)
    .replaceAll("process.env.QDRANT_URL ?? 'http://127.0.0.1:6333'", `'${servers.QDRANT_URL}'`)
    .replaceAll(database, `'${own}'`)
    .replaceAll(names, `$1: '$2_${Date.now()}'`)
    .replaceAll('port: 8000,', `port: ${chroma.port},`)
    .replaceAll("'./", `'${folder}/${run}-`)
    .replaceAll('sqlite:./', `sqlite:${folder}/${run}-`)
}

describe.each([
  ['docs/composition.md', 4],
  ['docs/qdrant.md', 1],
  ['docs/chromadb.md', 1],
  ['docs/redis.md', 1],
  ['docs/observability.md', 1],
  ['docs/erase.md', 1],
  ['docs/transfer.md', 2],
  ['docs/agents.md', 4],
] as const)('%s', (path, least) => {
  const examples = examplesOf(path)
  test(`has at least ${least} examples`, () => expect(examples.length).toBeGreaterThanOrEqual(least))
  test.each(examples.map((code, i) => [i + 1, code] as const))('example %i runs as it stands', async (i, code) => {
    const run = `${path.replace(/\W/g, '-')}-${i}`
    const file = join(folder, `${run}.ts`)
    await writeFile(file, await placed(code, run))
    await expect(import(/* @vite-ignore */ file)).resolves.toBeDefined()
  })
})

test('the commands of docs/transfer.md do one after the other what they say', async () => {
  const servers = inject('servers')
  const name = `docs${Date.now()}`
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-docs-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  vi.stubEnv('XDG_STATE_HOME', folder)
  onTestFinished(() => void vi.unstubAllEnvs())
  const places = [
    ['./memory.db', join(folder, 'memory.db')],
    ['./restored.db', join(folder, 'restored.db')],
    ['backup.bma', join(folder, 'backup.bma')],
    ['postgres://localhost/app', await freshDatabase()],
    ['postgres://localhost/live', await freshDatabase()],
    ['600', '1'],
    ['redis://localhost:6379?prefix=', `${servers.REDIS_URL}?prefix=${name}`],
    ['qdrant://127.0.0.1:6333/', `${servers.QDRANT_URL.replace(/^http/, 'qdrant')}/${name}`],
  ] as const
  const placed = (text: string) => places.reduce((now, [there, own]) => now.replaceAll(there, own), text)
  await cli(['import', join(root, 'examples/sample/messages.jsonl'), '--url', placed('sqlite:./memory.db')])
  const commands = commandsOf(readFileSync(join(root, 'docs/transfer.md'), 'utf8'))
  expect(commands.length).toBeGreaterThanOrEqual(9)
  for (const { args, env } of commands) {
    const own = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, placed(value)]))
    const { code, stdout, stderr } = await cli(args.map(placed), { env: own })
    expect([code, `${stdout}${stderr}`], args.join(' ')).toEqual([0, expect.any(String)])
  }
})

test('the README shows the first example of docs/composition.md', () => {
  const [first = ''] = examplesOf('docs/composition.md')
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(first)
})
