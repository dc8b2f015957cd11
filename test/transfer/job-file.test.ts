import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { archiveSink } from '../../src/archive/transfer-sink.js'
import { archiveSource } from '../../src/archive/transfer-source.js'
import type { Checkpoint, JobRequest, TransferJob, TransferTarget, WriteOutcome } from '../../src/contract/transfer.js'
import { ConfigurationError, ConflictError, StorageError } from '../../src/errors.js'
import { JobFile } from '../../src/transfer/job-file.js'
import { sinkTarget } from '../../src/transfer/sink-target.js'
import { batchesOf, createdAt, readAll, SPACE, sample } from '../archive/carried.js'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

interface Places {
  readonly jobs: string
  readonly archive: string
}

async function fresh(): Promise<Places> {
  const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-jobs-'))
  folders.push(folder)
  return { jobs: join(folder, 'jobs'), archive: join(folder, 'a.bma') }
}

const START = Date.parse('2026-01-01T00:00:00.000Z')
let time = START
const clock = (): number => time

const request: JobRequest = {
  id: 'job',
  plan: '{"ranges":[]}',
  owner: 'ada',
  lease: 60_000,
  bulk: false,
  texts: false,
  space: SPACE,
}
const batches = batchesOf(sample, 9)

const targets: TransferTarget[] = []
afterEach(async () => {
  for (const target of targets.splice(0)) await target.close()
})

/** As a later run has it: nothing is shared but the files. */
function targetAt({ jobs, archive }: Places, isDead?: (owner: string) => boolean): TransferTarget {
  const target = sinkTarget(archiveSink(archive, { createdAt }), new JobFile(jobs, { clock, isDead }))
  targets.push(target)
  return target
}

const checkpointAt =
  (cursor: number) =>
  ({ state }: WriteOutcome): Checkpoint => ({
    range: 0,
    cursor: `${cursor}`,
    counts: { user: cursor },
    present: 0,
    quarantined: 0,
    state: state ?? null,
  })

async function writeFrom(job: TransferJob, from: number, to: number = batches.length): Promise<void> {
  for (let i = from; i < to; i++) await job.write(batches[i] ?? [], checkpointAt(i + 1))
}

const cursorOf = ({ checkpoint }: TransferJob): number => Number(checkpoint?.cursor ?? 0)

async function expectWhole(archive: string): Promise<void> {
  const source = archiveSource(archive)
  expect(await readAll(source)).toEqual(sample)
  await source.close()
}

describe('a job that is kept in a file', () => {
  test('goes on where an earlier run ended, and is gone when it is complete', async () => {
    const places = await fresh()
    const first = await targetAt(places).begin(request)
    expect([first.epoch, first.checkpoint]).toEqual([1, null])
    await writeFrom(first, 0, 4)
    await first.release()
    const target = targetAt(places)
    expect(await target.unfinished()).toEqual({ id: 'job', plan: request.plan })
    const second = await target.begin({ ...request, owner: 'bob' })
    expect(second.epoch).toBe(2)
    expect(second.checkpoint).toMatchObject({ cursor: '4', counts: { user: 4 }, state: { sha256: expect.any(String) } })
    await writeFrom(second, 4)
    await second.finish()
    await second.finish()
    expect(await target.unfinished()).not.toBeNull()
    await second.complete()
    expect(await target.unfinished()).toBeNull()
    await expectWhole(places.archive)
    await expect(second.write([], checkpointAt(0))).rejects.toThrow(ConflictError)
    expect(await readdir(places.jobs)).toHaveLength(1)
    expect((await stat(join(places.jobs, (await readdir(places.jobs))[0] as string))).mode & 0o777).toBe(0o600)
  })

  test('is refused to a second run while the first one lives, with who, until when and what to do', async () => {
    const places = await fresh()
    time = START
    const first = await targetAt(places).begin(request)
    const second = targetAt(places)
    const refused = second.begin({ ...request, owner: 'bob' })
    await expect(refused).rejects.toThrow(ConflictError)
    await expect(refused).rejects.toThrow(/\(ada, until 2026-01-01T00:01:00.000Z\).*--force/)
    // Each write is heard for another minute.
    time += 50_000
    await writeFrom(first, 0, 1)
    time += 50_000
    await expect(second.begin({ ...request, owner: 'bob' })).rejects.toThrow(/until 2026-01-01T00:01:50/)
    time += 10_000
    expect((await second.begin({ ...request, owner: 'bob' })).epoch).toBe(2)
  })

  test('that was taken over ends the first run with its next write, and loses nothing', async () => {
    for (const how of ['force', 'lease', 'dead'] as const) {
      const places = await fresh()
      time = START
      const first = await targetAt(places).begin(request)
      await writeFrom(first, 0, 3)
      if (how === 'lease') time += 60_000
      const target = targetAt(places, (owner) => how === 'dead' && owner === 'ada')
      const second = await target.begin({ ...request, owner: 'bob', force: how === 'force' })
      expect(cursorOf(second)).toBe(3)
      const before = await readFile(`${places.archive}.partial`)
      await expect(first.write(batches[3] ?? [], checkpointAt(4))).rejects.toThrow(/has taken it over/)
      await expect(first.finish()).rejects.toThrow(ConflictError)
      await expect(first.complete()).rejects.toThrow(ConflictError)
      await first.release()
      expect((await readFile(`${places.archive}.partial`)).equals(before)).toBe(true)
      await writeFrom(second, 3)
      await second.finish()
      await second.complete()
      await expect(first.write([], checkpointAt(4))).rejects.toThrow(ConflictError)
      await expectWhole(places.archive)
    }
  })

  test('is not confused with another plan, another job or another target', async () => {
    const places = await fresh()
    time = START
    const first = await targetAt(places).begin(request)
    await writeFrom(first, 0, 2)
    await first.release()
    const target = targetAt(places)
    await expect(target.begin({ ...request, plan: '{}' })).rejects.toThrow(/has another plan/)
    await expect(target.begin({ ...request, id: 'other' })).rejects.toThrow(/--resume.*--abandon/)
    await expect(target.begin({ ...request, id: 'other', force: true })).rejects.toThrow(ConflictError)
    // The same folder, another archive.
    const other = targetAt({ ...places, archive: `${places.archive}2` })
    expect(await other.unfinished()).toBeNull()
    expect((await other.begin({ ...request, id: 'other' })).epoch).toBe(1)
    await target.abandon()
    await target.abandon()
    expect(await target.unfinished()).toBeNull()
    expect((await readdir(join(places.archive, '..'))).sort()).toEqual(['a.bma.partial', 'a.bma2.partial', 'jobs'])
    const anew = await target.begin({ ...request, id: 'other' })
    expect(anew.checkpoint).toBeNull()
    // Counts up, so that the first run is known as such for ever.
    expect(anew.epoch).toBeGreaterThan(2)
    await expect(first.write([], checkpointAt(0))).rejects.toThrow(ConflictError)
    await writeFrom(anew, 0)
    await anew.finish()
    await expectWhole(places.archive)
  })

  test('given up while a run is at work ends that run', async () => {
    const places = await fresh()
    const first = await targetAt(places).begin(request)
    await targetAt(places).abandon()
    await expect(first.write([], checkpointAt(0))).rejects.toThrow(ConflictError)
  })

  test('does not begin where its target cannot be opened, and stands in nobody’s way then', async () => {
    const places = await fresh()
    await writeFile(places.archive, 'theirs')
    const target = targetAt(places)
    await expect(target.begin(request)).rejects.toThrow(ConfigurationError)
    expect(await target.unfinished()).toBeNull()
    await rm(places.archive)
    const job = await target.begin({ ...request, id: 'other' })
    await writeFrom(job, 0, 2)
    await job.release()
    // One that has begun waits: what is in the way can be taken away.
    await writeFile(places.archive, 'theirs')
    await expect(target.begin({ ...request, id: 'other' })).rejects.toThrow(/not of this job/)
    expect(await target.unfinished()).toEqual({ id: 'other', plan: request.plan })
    await rm(places.archive)
    expect(cursorOf(await target.begin({ ...request, id: 'other', owner: 'bob' }))).toBe(2)
  })

  test('that cannot be read says which file it is', async () => {
    const places = await fresh()
    await targetAt(places).begin(request)
    const [name] = await readdir(places.jobs)
    await writeFile(join(places.jobs, name as string), '{"id":')
    await expect(targetAt(places).unfinished()).rejects.toThrow(`${name} is no job`)
  })

  test('that many take at once has one owner', async () => {
    const places = await fresh()
    time = START
    const runs = Array.from({ length: 20 }, (_, i) =>
      new JobFile(places.jobs, { clock }).begin('place', { ...request, owner: `run ${i}` }),
    )
    const outcomes = await Promise.allSettled(runs)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(ConflictError)
    const forced = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        new JobFile(places.jobs, { clock }).begin('place', { ...request, owner: `run ${i}`, force: true }),
      ),
    )
    expect(forced.map(({ epoch }) => epoch).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 2))
    const alive: number[] = []
    for (const job of forced)
      await job.save(null).then(
        () => alive.push(job.epoch),
        () => {},
      )
    expect(alive).toEqual([21])
  })
})

describe('a full disk', () => {
  test('ends the run with an error that says so; a later one goes on from the checkpoint before', async ({ skip }) => {
    const places = await fresh()
    await mkdir(places.jobs)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', places.jobs]).status !== 0)
      return skip('file systems cannot be mounted here')
    try {
      const target = targetAt(places)
      const first = await target.begin(request)
      await writeFrom(first, 0, 3)
      await writeFile(join(places.jobs, 'ballast'), Buffer.alloc(100_000)).catch(() => {})
      const failing = first.write(batches[3] ?? [], checkpointAt(4))
      await expect(failing).rejects.toThrow(StorageError)
      await expect(failing).rejects.toThrow(/cannot keep the job in .*: the disk is full/)
      // The archive is a batch ahead: the same run must not write behind it.
      await expect(first.write(batches[3] ?? [], checkpointAt(4))).rejects.toThrow(/the disk is full/)
      const late = targetAt(places)
      expect(await late.unfinished()).toEqual({ id: 'job', plan: request.plan })
      await expect(late.begin({ ...request, owner: 'bob', force: true })).rejects.toThrow(/the disk is full/)
      expect(await late.unfinished()).toEqual({ id: 'job', plan: request.plan })
      await rm(join(places.jobs, 'ballast'))
      const second = await late.begin({ ...request, owner: 'bob', force: true })
      expect(cursorOf(second)).toBe(3)
      await writeFrom(second, 3)
      await second.finish()
      await second.complete()
      await expectWhole(places.archive)
      expect((await readdir(places.jobs)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    } finally {
      spawnSync('umount', ['--lazy', places.jobs])
    }
  })
})
