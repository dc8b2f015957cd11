import { existsSync } from 'node:fs'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { generateExport } from '../import/generate.js'
import { cli, contentOf, ended, freshFolder, json, spawnCli } from './support.js'

const peak = fileURLToPath(new URL('peak.mjs', import.meta.url))

interface Summary {
  readonly counts: Record<string, Record<string, number>>
}

async function size(path: string): Promise<number> {
  const of = (name: string) =>
    stat(name).then(
      (s) => s.size,
      () => 0,
    )
  return (await of(path)) + (await of(`${path}-wal`))
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it did not happen within 30 seconds')
}

describe('an import that is stopped', () => {
  test('by kill -9 and run again holds exactly what one that was not stopped holds', async () => {
    const folder = await freshFolder()
    const file = join(folder, 'c.json')
    const made = await generateExport(file, 8)
    const whole = join(folder, 'whole.db')
    expect((await cli(['import', file, '--url', whole])).code).toBe(0)
    const killed = join(folder, 'killed.db')
    // Each round is killed a little further on.
    for (const bytes of [2, 5, 9]) {
      const child = spawnCli(['import', file, '--url', killed])
      const end = ended(child)
      await until(async () => (await size(killed)) > bytes * 1_000_000 || child.exitCode !== null)
      child.kill('SIGKILL')
      await end
    }
    const { counts, code } = await json<Summary>(['import', file, '--url', killed])
    expect(code).toBe(0)
    expect(counts.message?.unchanged).toBeGreaterThan(0)
    expect((counts.message?.unchanged ?? 0) + (counts.message?.imported ?? 0)).toBe(made.messages)
    expect(await contentOf(killed)).toEqual(await contentOf(whole))
    expect((await cli(['doctor', '--url', killed])).code).toBe(0)
  })

  test('by Ctrl-C ends after the batch, says how to go on, and goes on', async () => {
    const folder = await freshFolder()
    const file = join(folder, 'c.json')
    const made = await generateExport(file, 12)
    const url = join(folder, 'm.db')
    const child = spawnCli(['import', file, '--url', url])
    const end = ended(child)
    await until(async () => (await size(url)) > 2_000_000)
    child.kill('SIGINT')
    const { code, stdout, stderr } = await end
    expect(stderr).toContain('stopping after this batch')
    expect(stdout).toContain('stopped: run the same command again to go on from here')
    expect(code).toBe(130)
    const { counts } = await json<Summary>(['import', file, '--url', url])
    expect(counts.message?.imported).toBeGreaterThan(0)
    expect((counts.message?.unchanged ?? 0) + (counts.message?.imported ?? 0)).toBe(made.messages)
  })

  test('by another process that holds the file says so', async () => {
    const { default: Sqlite } = await import('better-sqlite3')
    const folder = await freshFolder()
    const url = join(folder, 'm.db')
    const file = join(folder, 'm.jsonl')
    await writeFile(file, '{"conversationId":"a","id":"1","role":"user","content":"x"}\n')
    await cli(['import', file, '--url', url])
    const other = new Sqlite(url)
    other.exec('begin immediate')
    await writeFile(file, '{"conversationId":"a","id":"2","role":"user","content":"x"}\n')
    const { code, stdout } = await cli(['import', file, '--url', url])
    other.close()
    expect([code, stdout]).toEqual([1, expect.stringMatching(/not finished: .*(lock|busy|process)/i)])
    expect((await cli(['import', file, '--url', url])).code).toBe(0)
  }, 30_000)
})

describe('an export that is stopped', () => {
  test('by Ctrl-C or by a reader that goes away leaves no archive, and says so', async () => {
    const folder = await freshFolder()
    const url = join(folder, 'm.db')
    const source = join(folder, 'c.json')
    await generateExport(source, 10)
    await cli(['import', source, '--url', url])
    const child = spawnCli(['export', join(folder, 'x.bma'), '--url', url])
    const end = ended(child)
    await until(async () => existsSync(join(folder, 'x.bma.partial')))
    child.kill('SIGINT')
    expect(await end).toMatchObject({ code: 130, stderr: expect.stringContaining('no archive was written') })
    expect((await readdir(folder)).filter((name) => name.startsWith('x.bma'))).toEqual([])
    const piped = spawnCli(['export', '-', '--url', url])
    piped.stdout?.once('data', () => piped.stdout?.destroy())
    const { code, stderr } = await ended(piped)
    expect([code, stderr.trim()]).toEqual([
      1,
      'error (storage): standard output was closed before the archive was whole',
    ])
  })
})

describe('a large import', () => {
  test('stays within a bound of memory that the file does not change', async () => {
    const folder = await freshFolder()
    const peaks: number[] = []
    for (const megabytes of [15, 60]) {
      const file = join(folder, `${megabytes}.json`)
      const made = await generateExport(file, megabytes)
      const child = spawnCli(['import', file, '--url', join(folder, `${megabytes}.db`), '--json'], ['--import', peak])
      const { code, stdout, stderr } = await ended(child)
      expect([code, (JSON.parse(stdout) as Summary).counts.message?.imported]).toEqual([0, made.messages])
      peaks.push(Number(/peak (\d+)/.exec(stderr)?.[1]) / 1024)
    }
    // In megabytes. Collection of garbage lags behind on a busy machine, so this is the promise, not what is usual.
    expect(peaks[1]).toBeLessThan(300)
    expect((peaks[1] as number) - (peaks[0] as number)).toBeLessThan(100)
  }, 120_000)
})
