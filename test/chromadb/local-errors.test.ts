import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLocal, openWith } from '../../src/backends/chromadb/local.js'
import { bindingName, findPrograms } from '../../src/backends/chromadb/local-programs.js'
import { ConfigurationError, ConnectionError, TimeoutError } from '../../src/errors.js'
import { unprivilegedUser } from '../ground/user.js'
import { BINDING, COMMAND, freshFolder, open, processesOf, startUser, stateOf } from './local-ground.js'
import { vectorsOf } from './vectors.js'

const GLIBC = "libc.so.6: version `GLIBC_2.39' not found (required by chromadb-js-bindings.node)"
const NOWHERE = { PATH: '', CHROMA_COMMAND: '' }

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-chroma-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function program(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o755 })
  return path
}

/** A project with a client whose native binding does what the text says. */
function project(binding: string): string {
  const root = emptyFolder()
  const client = join(root, 'node_modules', 'chromadb')
  const native = join(client, 'node_modules', bindingName())
  mkdirSync(native, { recursive: true })
  writeFileSync(join(client, 'index.js'), '')
  writeFileSync(join(native, 'index.js'), binding)
  return join(root, 'application.js')
}

describe('the server program', () => {
  test('is the one of the option, then of CHROMA_COMMAND, then the binding, then chroma on PATH', async () => {
    const folder = emptyFolder()
    const chroma = program(folder, 'chroma', '')
    const mine = program(folder, 'mine', '')
    const from = fileURLToPath(new URL('../ground/package.json', import.meta.url))
    const environment = { PATH: folder, CHROMA_COMMAND: 'mine' }
    const paths = async (options: Parameters<typeof findPrograms>[0]): Promise<string[]> =>
      (await findPrograms(options)).map(({ path }) => path)
    expect(await paths({ chromaCommand: chroma, environment, from })).toEqual([chroma])
    expect(await paths({ environment, from })).toEqual([mine])
    expect(await paths({ environment: { PATH: folder }, from })).toEqual([BINDING, chroma])
    expect(await paths({ environment: { PATH: folder }, from: join(folder, 'index.js') })).toEqual([chroma])
  })

  test('that is nowhere to be found is an error that says what was tried and what to do', async () => {
    const search = findPrograms({ environment: {}, from: join(emptyFolder(), 'index.js') })
    await expect(search).rejects.toThrow(ConfigurationError)
    await expect(search).rejects.toThrow(
      new RegExp(`chromaCommand is not given, CHROMA_COMMAND is not set.*${bindingName()} is not installed.*on PATH`),
    )
    await expect(search).rejects.toThrow(/npm install chromadb/)
  })

  test('that is named and not there is an error that names it', async () => {
    const persistDirectory = freshFolder()
    const wrong = openLocal({ persistDirectory, chromaCommand: '/no/such/chroma' })
    await expect(wrong).rejects.toThrow(ConfigurationError)
    await expect(wrong).rejects.toThrow(/option chromaCommand: \/no\/such\/chroma/)
    const environment = { PATH: '', CHROMA_COMMAND: 'no-such-chroma' }
    await expect(openLocal({ persistDirectory, environment })).rejects.toThrow(/CHROMA_COMMAND: .*no-such-chroma/)
  })

  test('that is something else is an error with what it said', async () => {
    const chromaCommand = program(emptyFolder(), 'other', '#!/bin/sh\necho "unknown command $1" >&2\nexit 2\n')
    const wrong = openLocal({ persistDirectory: freshFolder(), chromaCommand })
    await expect(wrong).rejects.toThrow(ConnectionError)
    await expect(wrong).rejects.toThrow(new RegExp(`${chromaCommand}.*unknown command run`))
  })

  test('that needs a newer C library is an error with the fix', async () => {
    const binding = project(`throw new Error(${JSON.stringify(GLIBC)})`)
    const programs = await findPrograms({ environment: NOWHERE, from: binding })
    const options = { persistDirectory: freshFolder(), environment: NOWHERE }
    const failed = openWith(options, programs)
    await expect(failed).rejects.toThrow(ConfigurationError)
    await expect(failed).rejects.toThrow(/needs glibc 2\.39.*1\.0\.1 of it needs 2\.34.*"overrides"/)
    const chromaCommand = program(
      emptyFolder(),
      'chroma',
      `#!/bin/sh\necho ${JSON.stringify(GLIBC).replace('`', '\\`')} >&2\nexit 1\n`,
    )
    await expect(openLocal({ ...options, chromaCommand })).rejects.toThrow(/needs glibc 2\.39/)
  })

  test('is the next one when the binding does not load, and it gets neither NODE_OPTIONS nor CHROMA_…', async () => {
    const log = join(emptyFolder(), 'environment')
    const chroma = program(emptyFolder(), 'chroma', `#!/bin/sh\nenv > '${log}'\nexec '${COMMAND}' "$@"\n`)
    const environment = { PATH: `${dirname(chroma)}:${dirname(process.execPath)}:/bin`, CHROMA_PORT: '1' }
    const programs = await findPrograms({ environment, from: project('module.exports = {}') })
    const server = await openWith({ persistDirectory: freshFolder(), environment }, programs)
    onTestFinished(() => server.close())
    expect(await (await vectorsOf(server.port)).count()).toBe(0)
    expect(readFileSync(log, 'utf8')).not.toMatch(/^(NODE_OPTIONS|CHROMA_|VITEST)/m)
  })

  test('of another process that cannot be run does not stop one that has a good one', async () => {
    const persistDirectory = freshFolder()
    const bad = program(emptyFolder(), 'bad', '#!/bin/sh\nexit 1\n')
    const [wrong, good] = await Promise.allSettled([
      openLocal({ persistDirectory, chromaCommand: bad, startTimeout: 8_000 }),
      new Promise((resolve) => setTimeout(resolve, 200)).then(() => open(persistDirectory)),
    ])
    expect(good).toMatchObject({ status: 'fulfilled' })
    if (wrong.status === 'fulfilled') await wrong.value.close()
  })
})

describe('the folder', () => {
  const openAt = (persistDirectory: string) => openLocal({ persistDirectory, chromaCommand: BINDING })

  test('that is none is refused before anything is started', async () => {
    const folder = emptyFolder()
    const file = program(folder, 'file', '')
    for (const path of [file, join(file, 'below'), '', 'a\0b', join(folder, 'x'.repeat(300)), '/proc/no/such']) {
      const refused = openAt(path)
      await expect(refused).rejects.toThrow(ConfigurationError)
      await expect(refused).rejects.toThrow(/option persistDirectory/)
    }
    expect(processesOf(folder)).toEqual([])
  })

  test('that may not be written is refused', async () => {
    const folder = freshFolder()
    chmodSync(dirname(folder), 0o755)
    mkdirSync(folder)
    chmodSync(folder, 0o555)
    const somebody = (await unprivilegedUser()) ?? {}
    const user = startUser({ persistDirectory: folder, chromaCommand: BINDING }, 'hold', somebody)
    const answer = await user.next()
    expect(answer).toMatchObject({
      error: 'ConfigurationError',
      message: expect.stringMatching(/may not read and write it \(EACCES\)/),
    })
  })

  test.skipIf(process.getuid?.() !== 0)('that another account uses is refused', async () => {
    const folder = freshFolder()
    chmodSync(dirname(folder), 0o755)
    await open(folder)
    chmodSync(folder, 0o777)
    const somebody = (await unprivilegedUser()) ?? {}
    const user = startUser({ persistDirectory: folder, chromaCommand: BINDING }, 'hold', somebody)
    const answer = await user.next()
    expect(answer).toMatchObject({
      error: 'ConfigurationError',
      message: expect.stringMatching(/used by another account/),
    })
  })

  test('whose keeper does not answer is an error that names it, and is open again when it does', async () => {
    const folder = freshFolder()
    await open(folder)
    const { pid } = stateOf(folder)
    process.kill(pid, 'SIGSTOP')
    const late = open(folder, { startTimeout: 1_500 })
    await expect(late).rejects.toThrow(TimeoutError)
    await expect(late).rejects.toThrow(new RegExp(`process ${pid} holds the folder`))
    process.kill(pid, 'SIGCONT')
    await open(folder)
    expect(stateOf(folder).pid).toBe(pid)
  })

  test('that is removed takes its server along', async () => {
    const folder = freshFolder()
    const first = await open(folder)
    const { pid, server } = stateOf(folder)
    rmSync(folder, { recursive: true })
    await first.ready().catch(() => undefined)
    const second = await open(folder)
    expect(await (await vectorsOf(second.port)).count()).toBe(0)
    await expect.poll(() => processesOf(folder).map((each) => each.pid), { timeout: 8_000 }).not.toContain(pid)
    expect(processesOf(folder).map((each) => each.pid)).not.toContain(server?.group)
  })
})
