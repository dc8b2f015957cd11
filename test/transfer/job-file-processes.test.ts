import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { archiveSource } from '../../src/archive/transfer-source.js'
import { freshPath, readAll } from '../archive/carried.js'
import { root } from '../cli/support.js'

interface Places {
  readonly jobs: string
  readonly archive: string
}

async function fresh(): Promise<Places> {
  const archive = await freshPath()
  return { jobs: join(dirname(archive), 'jobs'), archive }
}

/** A run in a process of its own: it takes the job when it is told to, and writes whenever it is told to. */
function startRun({ jobs, archive }: Places, owner: string) {
  const script = `
    import { createInterface } from 'node:readline'
    import { archiveSink } from './src/archive/transfer-sink.js'
    import { JobFile } from './src/transfer/job-file.js'
    import { sinkTarget } from './src/transfer/sink-target.js'
    const sink = archiveSink(${JSON.stringify(archive)}, { createdAt: new Date(0) })
    const target = sinkTarget(sink, new JobFile(${JSON.stringify(jobs)}, { clock: Date.now }))
    const request = { id: 'job', plan: '{}', owner: ${JSON.stringify(owner)}, lease: 600_000, bulk: false, texts: false, space: null }
    let job
    let n = 0
    const user = (i) => ({ kind: 'user', vector: null, record: { tenantId: 't', id: 'u' + i, name: null, preferences: {}, profile: {},
      metadata: {}, lastActiveAt: null, createdAt: new Date(i), updatedAt: new Date(i), version: 1 } })
    const steps = {
      async begin(force) {
        job = await target.begin({ ...request, force })
        n = Number(job.checkpoint?.cursor ?? 0)
        return n
      },
      async write() {
        const at = ++n
        await job.write([user(at)], ({ state }) => ({ range: 0, cursor: String(at), counts: {}, present: 0, quarantined: 0, state }))
        return at
      },
      async finish() {
        await job.finish()
        await job.complete()
      },
      async forever() {
        for (;;) console.log('wrote ' + await steps.write())
      },
    }
    console.log('ready')
    for await (const line of createInterface({ input: process.stdin })) {
      const [step, argument] = line.split(' ')
      await steps[step](argument === 'force').then(
        (answer) => console.log('done ' + (answer ?? '')),
        (error) => console.log(error.name + ' ' + error.message),
      )
    }`
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => (await lines.next()).value ?? 'ended'
  return {
    next,
    ask(step: string): Promise<string> {
      child.stdin?.write(`${step}\n`)
      return next()
    },
    async kill(): Promise<void> {
      const gone = once(child, 'close')
      child.kill('SIGKILL')
      await gone
    },
  }
}

const idsIn = async (archive: string): Promise<string[]> => {
  const source = archiveSource(archive)
  const records = await readAll(source, { parts: 1e6, limits: { records: 1000, bytes: 1e9 } })
  await source.close()
  return records.map(({ record }) => record.id)
}

describe('two processes', () => {
  test('have the job one after the other: refused, taken over, and the first one ended', async () => {
    const places = await fresh()
    const runs = [startRun(places, 'ada'), startRun(places, 'bob')] as const
    const [first, second] = runs
    expect(await Promise.all(runs.map((run) => run.next()))).toEqual(['ready', 'ready'])
    expect(await first.ask('begin')).toBe('done 0')
    expect(await first.ask('write')).toBe('done 1')
    expect(await second.ask('begin')).toMatch(/^ConflictError another run is at work on this transfer \(ada, until/)
    expect(await first.ask('write')).toBe('done 2')
    expect(await second.ask('begin force')).toBe('done 2')
    expect(await first.ask('write')).toMatch(/^ConflictError another run of this transfer has taken it over/)
    expect(await second.ask('write')).toBe('done 3')
    expect(await first.ask('finish')).toMatch(/^ConflictError/)
    expect(await second.ask('finish')).toBe('done ')
    expect(await idsIn(places.archive)).toEqual(['u1', 'u2', 'u3'])
    await Promise.all(runs.map((run) => run.kill()))
  })

  test('that take it at the same moment: one has it', async () => {
    const places = await fresh()
    const runs = ['ada', 'bob', 'cyd'].map((owner) => startRun(places, owner))
    await Promise.all(runs.map((run) => run.next()))
    const answers = await Promise.all(runs.map((run) => run.ask('begin')))
    expect(answers.filter((answer) => answer === 'done 0')).toHaveLength(1)
    expect(answers.filter((answer) => answer.startsWith('ConflictError another run is at work'))).toHaveLength(2)
    await Promise.all(runs.map((run) => run.kill()))
  })

  test('of which the first is killed, again and again: nothing is lost and nothing doubled', async () => {
    const places = await fresh()
    let told = 0
    for (let round = 0; round < 4; round++) {
      const run = startRun(places, `run ${round}`)
      await run.next()
      const from = Number((await run.ask('begin force')).replace('done ', ''))
      // What was acknowledged is kept; one write more may have been on its way.
      expect(from === told || from === told + 1).toBe(true)
      let line = await run.ask('forever')
      for (let i = 0; i < 20 + round * 7; i++) line = await run.next()
      await run.kill()
      for (let more = await run.next(); more !== 'ended'; more = await run.next()) line = more
      told = Number(line.replace('wrote ', ''))
    }
    const last = startRun(places, 'last')
    await last.next()
    const count = Number((await last.ask('begin force')).replace('done ', ''))
    expect(await last.ask('finish')).toBe('done ')
    expect(await idsIn(places.archive)).toEqual(Array.from({ length: count }, (_, i) => `u${i + 1}`))
    expect(count).toBeGreaterThan(80)
    await last.kill()
  })
})
