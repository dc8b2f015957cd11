import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { MovedError } from '../../src/errors.js'
import { PRIMARIES } from '../composed/composition.js'
import { returnDatabases } from '../postgresql/support/databases.js'
import { fillSqlite } from '../transfer/support/fixture.js'
import { cli, ended, freshFolder, spawnCli } from './support.js'

afterAll(returnDatabases)

async function filled(size = 6): Promise<{ readonly from: string; readonly to: string; readonly folder: string }> {
  const folder = await freshFolder()
  const from = join(folder, 'from.db')
  await fillSqlite(`sqlite:${from}`, size)
  return { from, to: join(folder, 'to.db'), folder }
}

/** Whether it takes no writes any more. */
async function isMoved(path: string): Promise<boolean> {
  const memory = createBackend(`sqlite:${path}`)
  try {
    await memory.connect()
    return false
  } catch (error) {
    return error instanceof MovedError
  } finally {
    await memory.close()
  }
}

describe('transfer', () => {
  test('shows the plan first, moves, verifies, and says so', async () => {
    const { from, to } = await filled()
    const dry = await cli(['transfer', '--from', from, '--to', to, '--dry-run'])
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/messages +30\n[\s\S]*nothing was written/) })
    const moved = await cli(['transfer', '--from', from, '--to', to])
    expect(moved.code).toBe(0)
    expect(moved.stdout).toMatch(/vectors are carried as they are/)
    expect(moved.stdout).toMatch(/76 records copied\nverified: 76 records are the same on both sides\ndone in/)
    const again = await cli(['transfer', '--from', from, '--to', to])
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/error \(conflict\).*--merge/) })
  })

  test('moves a memory that is in use, says how long writers waited, and the old one sends them on', async () => {
    const { from, to } = await filled()
    const moved = await cli(['transfer', '--online', '--from', from, '--to', to])
    expect([moved.code, moved.stderr]).toEqual([0, ''])
    expect(moved.stdout).toMatch(/switched: the target has taken its place[\s\S]*writers waited \d+ ms/)
    const old = createBackend(`sqlite:${from}`)
    await expect(old.connect()).rejects.toThrow(/has been moved to .*to\.db: open that one/)
    await old.close()
    const again = await cli(['transfer', '--online', '--from', from, '--to', to])
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/has been moved to .*to\.db already/) })
    const back = await cli(['transfer', '--switch-back', '--from', from, '--to', to])
    expect(back).toMatchObject({ code: 1, stderr: expect.stringMatching(/was not followed \(--soak\)/) })
  })

  test('is stopped while the old store is kept up, and switched back', async () => {
    const { from, to } = await filled()
    const child = spawnCli(['transfer', '--online', '--soak', '60', '--json', '--from', from, '--to', to])
    const outcome = ended(child)
    for (let i = 0; i < 300 && !(await isMoved(from)); i++) await sleep(50)
    await using there = createBackend(`sqlite:${to}`)
    await there.forTenant('acme').messages.append('chat 1', [{ role: 'user', content: 'written there' }])
    await sleep(1000)
    child.kill('SIGINT')
    const { stdout } = await outcome
    expect(JSON.parse(stdout)).toMatchObject({ online: { moved: true }, verified: { equal: true } })
    const back = await cli(['transfer', '--switch-back', '--json', '--from', from, '--to', to])
    expect(back.code).toBe(0)
    expect(JSON.parse(back.stdout)).toMatchObject({ switchedBack: true })
    await using here = createBackend(`sqlite:${from}`)
    expect((await here.forTenant('acme').messages.list('chat 1', { last: 1 })).items[0]?.content).toBe('written there')
  })

  test('gives a move up that was begun', async () => {
    const { from, to } = await filled()
    const child = spawnCli(['transfer', '--online', '--batch', '1', '--from', from, '--to', to])
    const outcome = ended(child)
    await sleep(1500)
    child.kill('SIGKILL')
    await outcome
    const given = await cli(['transfer', '--online', '--abandon', '--from', from, '--to', to])
    const moved = await isMoved(from)
    expect(given.code).toBe(moved ? 1 : 0)
    expect(given.stderr + given.stdout).toMatch(moved ? /has been moved to/ : /given up: the source is as it was/)
  })

  test('refuses what does not go with a memory in use', async () => {
    const { from, to } = await filled(1)
    for (const [flags, message] of [
      [['--online', '--kinds', 'message'], /--kinds does not go with --online/],
      [['--online', '--no-verify'], /--no-verify does not go with --online/],
      [['--soak', '5'], /--soak goes with --online/],
      [['--online', '--soak', 'long'], /--soak/],
      [['--switch-back'], /nothing was switched/],
    ] as const) {
      const { code, stderr } = await cli(['transfer', '--from', from, '--to', to, ...flags])
      expect(code, stderr).toBeGreaterThan(0)
      expect(stderr).toMatch(message)
    }
    const redis = await cli(['transfer', '--online', '--from', from, '--to', `archive:${to}.bma`])
    expect(redis).toMatchObject({ code: 1, stderr: expect.stringMatching(/cannot be kept up with a store in use/) })
  })

  test('prints one JSON document for machines', async () => {
    const { from, folder } = await filled()
    const archive = join(folder, 'backup.bma')
    const args = ['--json', '--jobs', join(folder, 'jobs')]
    const { code, stdout, stderr } = await cli(['transfer', '--from', from, '--to', `archive:${archive}`, ...args])
    expect([code, stderr]).toEqual([0, ''])
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      dryRun: false,
      copied: { user: 2, conversation: 6, message: 30, session: 2, memory: 12, document: 24 },
      verified: { equal: true, different: 0 },
      plan: { vectors: 'carried', from: { backend: 'sqlite' }, to: { backend: 'archive', place: archive } },
    })
    expect(statSync(archive).mode & 0o777).toBe(0o600)
    const restored = await cli([
      'transfer',
      '--from',
      `archive:${archive}`,
      '--to',
      join(folder, 'restored.db'),
      ...args,
    ])
    expect(JSON.parse(restored.stdout)).toMatchObject({ verified: { equal: true }, plan: { vectors: 'carried' } })
  })

  test('ends with 3 where something differs or was set apart, and names it without content', async () => {
    const { from, to, folder } = await filled()
    const client = new Sqlite(from)
    client.exec(`update bruno_memories set metadata = 'secret' where tenant_id = 'acme' and id = 'e1'`)
    client.close()
    const refused = await cli(['transfer', '--from', from, '--to', to])
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/1 records cannot be moved.*"e1".*is not JSON/),
    })
    const apart = join(folder, 'apart.jsonl')
    const set = ['--resume', '--quarantine-limit', '1', '--quarantine', apart]
    const moved = await cli(['transfer', '--from', from, '--to', to, ...set])
    expect(moved).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/memory \["acme","e1"\] metadata: is not JSON/),
    })
    expect(existsSync(apart)).toBe(true)
    const damaged = new Sqlite(to)
    damaged.exec(`update bruno_users set name = 'secret' where tenant_id = 'acme'`)
    damaged.close()
    const verified = await cli(['transfer', '--from', from, '--to', to, '--verify-only'])
    expect(verified).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/different user \["acme","ada"\] in name/),
    })
    expect(moved.stdout + moved.stderr + verified.stdout + verified.stderr).not.toMatch(/secret/)
  })

  test('stops at a checkpoint by Ctrl-C, and goes on with --resume', { timeout: 60_000 }, async () => {
    const { from, to } = await filled(150)
    const args = ['transfer', '--from', from, '--to', to, '--batch', '2']
    const child = spawnCli(args)
    const end = ended(child)
    const looking = async (): Promise<number> => {
      if (!existsSync(to)) return 0
      const client = new Sqlite(to, { readonly: true })
      try {
        return client.prepare('select count(*) from bruno_messages').pluck().get() as number
      } catch {
        return 0
      } finally {
        client.close()
      }
    }
    await expect.poll(looking, { timeout: 20_000, interval: 10 }).toBeGreaterThan(20)
    child.kill('SIGINT')
    const stopped = await end
    expect([stopped.code, stopped.stderr, stopped.stdout]).toEqual([
      130,
      expect.stringContaining('stopping at the next checkpoint'),
      expect.stringContaining('--resume'),
    ])
    expect(await cli(args)).toMatchObject({ code: 1, stderr: expect.stringMatching(/not through.*--resume/) })
    const rest = await cli([...args.slice(0, 5), '--resume'])
    expect(rest).toMatchObject({ code: 0, stdout: expect.stringMatching(/went on, [\d,]+ records copied\nverified/) })
  })

  test('is given up with --abandon', async () => {
    const { from } = await filled()
    const to = await (PRIMARIES.postgresql as () => Promise<string>)()
    const client = new Sqlite(from)
    client.exec(`update bruno_memories set metadata = '[]' where tenant_id = 'acme' and id = 'e1'`)
    client.close()
    expect((await cli(['transfer', '--from', from, '--to', to])).code).toBe(1)
    const memory = createBackend(to)
    await expect(memory.connect()).rejects.toThrow(/not through/)
    await memory.close()
    expect(await cli(['transfer', '--from', from, '--to', to, '--abandon'])).toMatchObject({ code: 0 })
    await using after = createBackend(to, { embeddingDimensions: 8 })
    expect(await after.forTenant('acme').users.get('ada')).toMatchObject({ name: 'Ada' })
    const status = await cli(['migrate', 'verify', '--url', to])
    expect(status.code, status.stdout).toBe(0)
  })

  test('refuses wrong usage with 2', async () => {
    const { from, to } = await filled(1)
    for (const [args, said] of [
      [['--from', from], /name the target with --to/],
      [['--from', from, '--to', from], /the same place/],
      [['--from', from, '--to', 'mysql://x'], /not known/],
      [['--from', from, '--to', to, '--kinds', 'users'], /users is no kind.*user/],
      [['--from', from, '--to', to, '--verify-only', '--resume'], /does not go with --verify-only/],
      [['--from', from, '--to', to, '--batch', '0'], /--batch/],
      [['--from', from, '--to', 'archive:'], /name a file after archive:/],
      [['--from', ':memory:', '--to', to], /name a file/],
    ] as const) {
      const { code, stderr } = await cli(['transfer', ...args])
      expect([code, stderr], args.join(' ')).toEqual([2, expect.stringMatching(said)])
    }
    const pass = 'postgres://app:pass-word@127.0.0.1:1/app'
    const away = await cli(['transfer', '--from', from, '--to', pass])
    expect(away.code).toBe(1)
    expect(away.stderr).not.toContain('pass-word')
  })
})
