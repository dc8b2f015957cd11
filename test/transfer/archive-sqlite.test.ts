import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readArchive } from '../../src/archive/read.js'
import { archiveSink } from '../../src/archive/transfer-sink.js'
import { archiveSource } from '../../src/archive/transfer-source.js'
import { createBackend } from '../../src/backend.js'
import type { TransferTarget } from '../../src/contract/transfer.js'
import type { TransferReport, TransferWishes } from '../../src/contract/transfer-plan.js'
import { newOwner } from '../../src/owner.js'
import { openSource, openTarget } from '../../src/run-transfer.js'
import { JobFile } from '../../src/transfer/job-file.js'
import { runTransfer } from '../../src/transfer/run.js'
import { sinkTarget } from '../../src/transfer/sink-target.js'
import { createdAt, freshPath } from '../archive/carried.js'
import { freshMemory, importInto } from '../import/support.js'
import { contentOf, DIMENSIONS, fillSqlite } from './support/fixture.js'

const clock = Date.now
const means = () => ({ clock, newId: () => 'job', owner: newOwner() })
const limits = { records: 10, bytes: 1e6 }

async function intoArchive(url: string, path: string, wishes: TransferWishes): Promise<TransferReport> {
  const source = await openSource({ url })
  const target: TransferTarget = sinkTarget(
    archiveSink(path, { createdAt }),
    new JobFile(join(dirname(path), 'jobs'), { clock }),
  )
  try {
    const ends = { source: source.end, target, targetSource: async () => archiveSource(path) }
    return await runTransfer(ends, { limits, ...wishes }, means())
  } finally {
    await target.close()
    await source.close()
  }
}

async function outOfArchive(path: string, url: string): Promise<TransferReport> {
  const source = archiveSource(path)
  const options = { embeddingDimensions: DIMENSIONS }
  const target = await openTarget({ url, options })
  try {
    const targetSource = async () => (await openSource({ url })).end
    return await runTransfer({ source, target: target.end, targetSource }, { limits }, means())
  } finally {
    await target.close()
    await source.close()
  }
}

async function content(url: string): Promise<Record<string, string[]>> {
  await using memory = createBackend(url)
  return await contentOf(memory)
}

test('what was in SQLite is the same in an archive, stopped and resumed, and in SQLite again; import reads it', async () => {
  const path = await freshPath()
  const [first, second] = ['first', 'second'].map((name) => `sqlite:${join(dirname(path), `${name}.db`)}`) as [
    string,
    string,
  ]
  await fillSqlite(first, 30)
  const stop = new AbortController()
  let batches = 0
  const onProgress = ({ phase }: { phase: string }): void => {
    if (phase === 'copy' && ++batches === 7) stop.abort()
  }
  const stopped = await intoArchive(first, path, { signal: stop.signal, onProgress })
  expect(stopped.verified).toBeNull()
  expect(await readdir(dirname(path))).toContain('memory.bma.partial')
  const there = await intoArchive(first, path, { resume: true })
  expect(there.verified).toMatchObject({ equal: true, different: 0 })
  expect(there.quarantinedCount).toBe(0)
  expect(there.plan.vectors).toBe('carried')
  const back = await outOfArchive(path, second)
  expect(back.verified).toMatchObject({ equal: true, different: 0 })
  expect(back.verified?.digests).toEqual(there.verified?.digests)
  expect(await content(second)).toEqual(await content(first))

  let vectors = 0
  for await (const item of readArchive(createReadStream(path) as AsyncIterable<Buffer>))
    if ('entry' in item && item.entry.vector) vectors++
  expect(vectors).toBeGreaterThan(300)
  const memory = freshMemory()
  const report = await importInto(memory, [path])
  expect([report.refused, report.conflicts, report.error]).toEqual([0, 0, null])
  const imported = await memory.forTenant('acme').messages.list('chat 1')
  expect(imported.items.length).toBe(29)
  await memory.close()
})
