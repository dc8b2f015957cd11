import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { Turns } from '../../src/backends/chromadb/turns.js'
import { failure, refused } from '../conformance/expecting.js'
import { startProxy } from '../support/proxy.js'
import { opened, pointOf, put } from './points.js'

const SECRET = 'correct-horse'
const unhandled: unknown[] = []
const note = (error: unknown): void => void unhandled.push(error)
beforeAll(() => void process.on('unhandledRejection', note))
afterAll(() => {
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

describe('a line that hangs', () => {
  it('costs each of many writers of one record its own time, not that of all before it', async () => {
    const { port } = new URL(inject('servers').CHROMA_URL)
    const proxy = await startProxy({ host: '127.0.0.1', port: Number(port) })
    onTestFinished(() => proxy.stop())
    const store = await opened({ port: proxy.port, callTimeout: 600, headers: { 'x-key': SECRET } })
    const points = store.tenant('a')
    const point = pointOf()
    await points.write('memory', [put(point)])
    proxy.freeze()
    const started = performance.now()
    const writers = Array.from({ length: 12 }, (_, i) =>
      failure(points.write('memory', [put({ ...point, revision: i + 2 })])),
    )
    for (const error of await Promise.all(writers)) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(timeout|connection)$/), retryable: true })
      expect(inspect(error, { depth: 10 })).not.toContain(SECRET)
    }
    // One after the other they would take 12 times that.
    expect(performance.now() - started).toBeLessThan(5000)
    expect(inspect(store, { depth: 10, showHidden: true })).not.toContain(SECRET)
    proxy.cut()
    proxy.thaw()
    expect((await points.write('memory', [put(point)])).size).toBe(0)
    expect(await points.fetch('memory', [point.key])).toEqual([point])
  })
})

describe('a proxy that answers for the server', () => {
  it('is taken neither for one that stored nor for one without the collection', async () => {
    const target = new URL(inject('servers').CHROMA_URL)
    let page = false
    const proxy = createServer(async (request, response) => {
      if (page) return void response.end('<html>please log in</html>')
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(new URL(request.url ?? '', target), {
        method: request.method ?? 'GET',
        headers,
        ...body,
      })
      response.statusCode = answer.status
      response.end(await answer.text())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      proxy.closeAllConnections()
      proxy.close()
    })
    const store = await opened({ port: (proxy.address() as AddressInfo).port })
    const points = store.tenant('a')
    const point = pointOf()
    await points.write('memory', [put(point)])
    page = true
    for (const call of [
      () => points.fetch('memory', [point.key]),
      () => points.count('memory', []),
      () => store.tenant('another').count('memory', []),
      () => points.write('memory', [put(pointOf())]),
    ])
      expect((await refused(call(), 'connection')).message).toContain('no ChromaDB')
    expect(await refused(points.remove('memory', [point.key]), 'connection')).toMatchObject({ outcome: 'unknown' })
    page = false
    expect(await points.fetch('memory', [point.key])).toEqual([point])
  })
})

describe('turns', () => {
  const pause = (time: number) => new Promise<void>((resolve) => setTimeout(resolve, time))

  it('of what shares a name are in order, whatever fails; others go side by side', async () => {
    const turns = new Turns()
    const seen: string[] = []
    const work =
      (name: string, time: number, fails = false) =>
      async () => {
        seen.push(`${name} begins`)
        await pause(time)
        seen.push(`${name} ends`)
        if (fails) throw new Error(name)
      }
    await Promise.allSettled([
      turns.run(['a', 'b'], 5000, work('first', 60, true)),
      turns.run(['b', 'c'], 5000, work('second', 10)),
      turns.run(['d'], 5000, work('alone', 0)),
      turns.run(['c'], 5000, work('third', 0)),
    ])
    expect(seen.filter((each) => !each.startsWith('alone'))).toEqual(
      ['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    )
    expect(seen.indexOf('alone ends')).toBeLessThan(seen.indexOf('first ends'))
  })

  it('given up is never begun, and lets nobody overtake who was before it', async () => {
    const turns = new Turns()
    const seen: string[] = []
    const first = turns.run(['a'], 5000, async () => {
      await pause(150)
      seen.push('first')
    })
    await refused(
      turns.run(['a'], 20, async () => void seen.push('late')),
      'timeout',
    )
    await turns.run(['a'], 5000, async () => void seen.push('last'))
    await first
    expect(seen).toEqual(['first', 'last'])
  })
})
