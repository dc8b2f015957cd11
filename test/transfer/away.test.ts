import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, onTestFinished, test } from 'vitest'
import { transfer } from '../../src/run-transfer.js'
import { ownPostgresql } from '../ground/postgresql.js'
import { startQdrant } from '../ground/qdrant.js'
import { startRedis } from '../ground/redis.js'
import type { Server } from '../ground/types.js'
import { freshEnd } from './support/ends.js'
import { fillSqlite } from './support/fixture.js'

const OWN: Readonly<Record<string, () => Promise<Server>>> = {
  postgresql: () => ownPostgresql(),
  redis: () => startRedis({ own: true, settings: { appendonly: 'yes', appendfsync: 'always' } }),
  qdrant: () => startQdrant({ own: true }),
}

const urlOf = ({ name, url }: Server): string => (name === 'qdrant' ? url.replace(/^http/, 'qdrant') : url)

test.each(Object.keys(OWN))(
  'a transfer into %s goes on by itself when the server was killed and is back',
  {
    timeout: 120_000,
  },
  async (name) => {
    await using server = await (OWN[name] as () => Promise<Server>)()
    const source = await freshEnd('sqlite', inject('servers'))
    const jobs = mkdtempSync(join(tmpdir(), 'bruno-memory-jobs-'))
    onTestFinished(async () => {
      await source.remove()
      rmSync(jobs, { recursive: true, force: true })
    })
    await fillSqlite(source.url, 60)
    let killed: Promise<void> | null = null
    const outage = async (): Promise<void> => {
      await server.kill()
      await sleep(700)
      await server.start()
    }
    const report = await transfer({
      from: source,
      to: { url: urlOf(server) },
      allowOmit: true,
      jobs,
      limits: { records: 10 },
      onProgress: ({ phase, records }) => {
        if (phase === 'copy' && records > 100) killed ??= outage()
      },
    })
    expect(killed).not.toBeNull()
    await killed
    expect(report.verified).toMatchObject({ equal: true, different: 0 })
    expect(report.quarantinedCount).toBe(0)
  },
)
