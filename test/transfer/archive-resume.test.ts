import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, link, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type ArchiveSink, archiveSink } from '../../src/archive/transfer-sink.js'
import { archiveSource } from '../../src/archive/transfer-source.js'
import type { Carried, WriteOutcome } from '../../src/contract/transfer.js'
import { ConfigurationError, ConflictError, StorageError } from '../../src/errors.js'
import { batchesOf, createdAt, freshPath, readAll, SPACE, sample, writeSample } from '../archive/carried.js'
import { root } from '../cli/support.js'

const batches = batchesOf(sample, 9)
const sinks: ArchiveSink[] = []
afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.close()
})

function sinkAt(path: string): ArchiveSink {
  const sink = archiveSink(path, { createdAt, space: SPACE })
  sinks.push(sink)
  return sink
}

/** The state behind each batch; the sink is left as a killed run leaves it. */
async function writeSome(path: string, count: number): Promise<{ sink: ArchiveSink; states: WriteOutcome['state'][] }> {
  const sink = sinkAt(path)
  await sink.open(null)
  const states = []
  for (const batch of batches.slice(0, count)) states.push((await sink.write(batch)).state)
  return { sink, states }
}

async function goOn(path: string, state: WriteOutcome['state'], from: number): Promise<void> {
  const sink = sinkAt(path)
  await sink.open(state ?? null)
  for (const batch of batches.slice(from)) await sink.write(batch)
  await sink.finish()
  await sink.close()
}

async function whole(): Promise<Buffer> {
  const path = await freshPath()
  const sink = sinkAt(path)
  await sink.open(null)
  for (const batch of batches) await sink.write(batch)
  await sink.finish()
  return readFile(path)
}

describe('an archive whose writing was interrupted', () => {
  test('is, after another run, byte by byte what it would have been, wherever it was cut', async () => {
    const expected = await whole()
    for (let known = 0; known < batches.length; known += 2) {
      // One more batch was on disk, or some bytes of it, when the run was killed.
      const bytes = [1, 10, 11, 200, 5000, Number.POSITIVE_INFINITY][(known / 2) % 6] as number
      const path = await freshPath()
      const { sink, states } = await writeSome(path, known + 1)
      await sink.close()
      const state = known === 0 ? null : states[known - 1]
      const offset = Number(state?.bytes ?? 0)
      const { size } = await stat(`${path}.partial`)
      if (known > 0 && bytes < size - offset) await truncate(`${path}.partial`, offset + bytes)
      await goOn(path, state ?? undefined, known)
      expect((await readFile(path)).equals(expected), `cut behind batch ${known}`).toBe(true)
      expect(await readdir(dirname(path))).toEqual(['memory.bma'])
    }
  })

  test('loses what stands behind the state, whatever it is', async () => {
    const expected = await whole()
    for (const rubbish of [Buffer.from('\x1f\x8b\x08rubbish'), Buffer.alloc(3000), expected]) {
      const path = await freshPath()
      const { sink, states } = await writeSome(path, 4)
      await sink.close()
      await appendFile(`${path}.partial`, rubbish)
      await goOn(path, states[3], 4)
      expect((await readFile(path)).equals(expected)).toBe(true)
    }
  })

  test('is not gone on with, and not cut, where it is not as the job left it', async () => {
    const path = await freshPath()
    const { sink, states } = await writeSome(path, 5)
    await sink.close()
    const partial = await readFile(`${path}.partial`)
    const changed = Buffer.from(partial)
    const at = Number(states[3]?.bytes) - 5
    changed[at] = (changed[at] as number) ^ 1
    for (const content of [changed, partial.subarray(0, Number(states[3]?.bytes) - 1)]) {
      await writeFile(`${path}.partial`, content)
      await expect(sinkAt(path).open(states[3] ?? null)).rejects.toThrow(StorageError)
      expect((await readFile(`${path}.partial`)).equals(content)).toBe(true)
    }
    await rm(`${path}.partial`)
    await expect(sinkAt(path).open(states[3] ?? null)).rejects.toThrow(ConfigurationError)
    await expect(sinkAt(path).open({ bytes: -1 })).rejects.toThrow(/not one of an archive/)
  })

  test('is begun anew by a run without a state', async () => {
    const path = await freshPath()
    await (await writeSome(path, 3)).sink.close()
    await goOn(path, undefined, 0)
    expect((await readFile(path)).equals(await whole())).toBe(true)
  })

  test('while it was given its name is finished by another run, and by that one only once', async () => {
    const expected = await whole()
    const steps: ((path: string) => Promise<void>)[] = [
      // The manifest is there, the name is not.
      async (path) => writeFile(`${path}.partial`, expected),
      // Both names of one file.
      async (path) => link(path, `${path}.partial`),
      async () => {},
    ]
    for (const [i, step] of steps.entries()) {
      const path = await freshPath()
      const { sink, states } = await writeSome(path, batches.length)
      if (i > 0) await sink.finish()
      await sink.close()
      await step(path)
      const again = sinkAt(path)
      await again.open(states.at(-1) ?? null)
      expect(await again.write([])).toMatchObject({ written: 0 })
      await again.finish()
      await again.finish()
      expect((await readFile(path)).equals(expected)).toBe(true)
      expect(await readdir(dirname(path))).toEqual(['memory.bma'])
      await expect(again.write(batches[0] ?? [])).rejects.toThrow(ConflictError)
    }
  })

  test('by a kill is gone on with', async () => {
    const path = await freshPath()
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        `import { archiveSink } from './src/archive/transfer-sink.js'
        const sink = archiveSink(${JSON.stringify(path)}, { createdAt: new Date(0) })
        await sink.open(null)
        for (let i = 0; ; i++) {
          const at = new Date(i)
          const record = { tenantId: 't', id: 'u' + i, name: 'x'.repeat(i % 5000), preferences: {}, profile: {}, metadata: {},
            lastActiveAt: null, createdAt: at, updatedAt: at, version: 1 }
          const { state } = await sink.write([{ kind: 'user', record, vector: null }])
          process.stdout.write(JSON.stringify({ i, state }) + '\\n')
        }`,
      ],
      { cwd: root },
    )
    let told = ''
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (data: Buffer) => {
        told += data
        if (told.split('\n').length > 200) resolve()
      })
    })
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    const { i, state } = JSON.parse(told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1) as string)
    const sink = archiveSink(path, { createdAt })
    await sink.open(state)
    await sink.finish()
    const source = archiveSource(path)
    const users = await readAll(source, { parts: 1000, limits: { records: 1000, bytes: 1e9 } })
    expect(users.map(({ record }) => record.id)).toEqual(Array.from({ length: i + 1 }, (_, n) => `u${n}`))
    await source.close()
  })

  test('by another run is noticed by the one that is still writing', async () => {
    const path = await freshPath()
    const { sink: first, states } = await writeSome(path, 3)
    const second = sinkAt(path)
    await second.open(states[1] ?? null)
    await expect(first.write(batches[3] ?? [])).rejects.toThrow(ConflictError)
    await second.write(batches[2] ?? [])
    // Bytes of a writer that was stopped in the middle: they come behind ours, and are not taken for ours.
    const stale = await open(`${path}.partial`, 'a')
    await stale.write('late')
    await expect(second.write(batches[3] ?? [])).rejects.toThrow(ConflictError)
    await expect(second.finish()).rejects.toThrow(ConflictError)
    await stale.close()
    await Promise.all([first.close(), second.close()])
  })
})

const mounted = async (folder: string): Promise<boolean> => {
  await mkdir(folder, { recursive: true })
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', folder]).status === 0
}

/** Does not get smaller by compression. */
const hashes = Array.from({ length: 400 }, (_, i) => createHash('sha512').update(`${i}`).digest('base64'))
const large = sample
  .slice(0, 1)
  .map((each) => ({ ...each, record: { ...each.record, metadata: { hashes } } }) as Carried)

describe('a full disk', () => {
  test('is an error that says so; the same run goes on when there is room, and a later one too', async ({ skip }) => {
    const folder = join(dirname(await freshPath()), 'small')
    if (!(await mounted(folder))) return skip('file systems cannot be mounted here')
    try {
      const path = join(folder, 'a.bma')
      const sink = sinkAt(path)
      await sink.open(null)
      const { state } = await sink.write(batches[0] ?? [])
      await writeFile(join(folder, 'ballast'), Buffer.alloc(200_000)).catch(() => {})
      const outcome = sink.write(large)
      await expect(outcome).rejects.toThrow(StorageError)
      await expect(outcome).rejects.toThrow(/the disk is full/)
      // What was written of it is there, and is no part of the archive.
      const torn = (await stat(`${path}.partial`)).size
      expect(torn).toBeGreaterThan(Number(state?.bytes))
      await rm(join(folder, 'ballast'))
      const { state: later } = await sink.write(large)
      expect((await stat(`${path}.partial`)).size).toBe(Number(later?.bytes))
      await sink.close()
      await goOn(path, state, 1)
      expect((await readFile(path)).equals(await whole())).toBe(true)
    } finally {
      spawnSync('umount', ['--lazy', folder])
    }
  })
})

test('an empty archive is one', async () => {
  const path = await freshPath()
  await writeSample(path, [])
  const source = archiveSource(path)
  expect(await readAll(source)).toEqual([])
  await source.close()
})
