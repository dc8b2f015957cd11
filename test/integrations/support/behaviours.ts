import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Memory } from '../../../src/contract/memory.js'
import { breakCommits } from './break-commits.js'
import { type Control, client, control, fileMemory, raw, type Serve, type Served, stop } from './served.js'

/** What holds for a unit that spans a request, whatever the framework. */
export function unitBehaviours(name: string, serve: Serve): void {
  describe(`a unit that spans a request, ${name}`, () => {
    let memory: Memory
    let path: string
    let remove: () => Promise<void>
    let served: Served
    let held: Control
    let say: ReturnType<typeof client>['say']
    let heard: ReturnType<typeof client>['heard']
    const start = async (deadline?: number) => {
      held = control()
      served = await serve({ memory, control: held, deadline })
      ;({ say, heard } = client(served.url))
    }
    beforeEach(async () => {
      ;({ memory, path, remove } = await fileMemory())
      await start()
    })
    afterEach(async () => {
      held.go.open()
      await stop(served.server)
      await remove()
    })

    test('is stored when the answer is 2xx or 3xx, before the client has it', async () => {
      expect(await say('a', 'one')).toMatchObject({ status: 201, json: { count: 1 } })
      expect(await heard('a')).toEqual(['one'])
      const redirected = await say('a', 'two', 'redirect')
      expect([redirected.status, redirected.headers.get('location')]).toEqual([303, '/elsewhere'])
      expect(await heard('a')).toEqual(['one', 'two'])
    })

    test('is rolled back when the handler refuses, breaks or throws', async () => {
      expect(await say('a', 'one', 'refuse')).toMatchObject({ status: 422, json: { refused: true } })
      expect(await say('a', 'one', 'break')).toMatchObject({ status: 500, text: 'broken' })
      expect((await say('a', 'one', 'throw')).status).toBe(500)
      const invalid = await say('a', 'one', 'invalid')
      expect(invalid).toMatchObject({ status: 400, type: 'application/problem+json' })
      expect(invalid.json).toEqual({
        type: 'urn:problem-type:bruno-memory:validation',
        title: 'Bad Request',
        status: 400,
        detail: 'messages[0].content: must not be blank',
        code: 'validation',
        field: 'messages[0].content',
      })
      expect(await heard('a')).toEqual([])
    })

    test('is rolled back when the client leaves, and the next one does not wait', async () => {
      const leaving = new AbortController()
      const left = say('a', 'one', 'wait', { signal: leaving.signal })
      await held.arrived.opened
      leaving.abort()
      await expect(left).rejects.toThrow()
      expect((await say('a', 'two')).status).toBe(201)
      held.go.open()
      await sleep(50)
      expect(await heard('a')).toEqual(['two'])
    })

    test('that takes too long is rolled back, and what the handler says later goes nowhere', async () => {
      await stop(served.server)
      await start(200)
      const late = await say('a', 'one', 'wait')
      expect(late).toMatchObject({ status: 504, json: { code: 'timeout' } })
      held.go.open()
      await sleep(50)
      expect(await heard('a')).toEqual([])
      expect((await say('a', 'two')).status).toBe(201)
    })

    test('that cannot be stored is a problem for the client, never a success', async () => {
      await say('a', 'one')
      const mend = breakCommits(path)
      const failed = await say('a', 'two')
      expect(failed.status).toBeGreaterThanOrEqual(500)
      expect(failed).toMatchObject({ type: 'application/problem+json', json: { status: failed.status } })
      expect(failed.text).not.toContain('count')
      const parts = await say('a', 'two', 'parts')
      expect(parts.status).toBeGreaterThanOrEqual(500)
      expect([parts.headers.get('x-part'), parts.text.includes('one')]).toEqual([null, false])
      mend()
      expect(await heard('a')).toEqual(['one'])
      expect((await say('a', 'two')).status).toBe(201)
    })

    test('whose handler forgot to await a call is not stored', async () => {
      expect((await say('a', 'one', 'forget')).status).toBe(500)
      expect(await heard('a')).toEqual([])
    })

    test('holds back what is written in parts, and gives all of it', async () => {
      const parts = await say('a', 'one', 'parts')
      expect(parts).toMatchObject({ status: 201, type: 'text/plain', text: 'one two' })
      expect(parts.headers.get('x-part')).toBe('yes')
    })

    test('is rolled back where the answer cannot be held: too large, or a stream of events', async () => {
      expect(await say('a', 'one', 'endless')).toMatchObject({ status: 501, json: { code: 'unsupported' } })
      expect(await say('a', 'one', 'events')).toMatchObject({ status: 501, json: { code: 'unsupported' } })
      expect(await heard('a')).toEqual([])
    })

    test('a message of an unexpected error is not told', async () => {
      expect((await say('a', 'secret content', 'throw')).text).not.toContain('secret content')
    })

    describe('with an Idempotency-Key', () => {
      test('the same request again gives the same answer and stores nothing', async () => {
        const first = await say('a', 'one', 'ok', { key: 'k1' })
        const again = await say('a', 'one', 'ok', { key: 'k1' })
        expect([again.status, again.text, again.type]).toEqual([first.status, first.text, first.type])
        expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([
          null,
          'true',
        ])
        expect(await heard('a')).toEqual(['one'])
      })

      test('ten at once store once', async () => {
        const all = await Promise.all(Array.from({ length: 10 }, () => say('a', 'one', 'ok', { key: 'k1' })))
        expect(new Set(all.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(['201 {"count":1}']))
        expect(await heard('a')).toEqual(['one'])
      })

      test('for something else it is a conflict; of another user or tenant it is another key', async () => {
        await say('a', 'one', 'ok', { key: 'k1', user: 'ada' })
        expect(await say('a', 'two', 'ok', { key: 'k1', user: 'ada' })).toMatchObject({
          status: 409,
          json: { code: 'conflict' },
        })
        expect((await say('b', 'one', 'ok', { key: 'k1', user: 'ada' })).status).toBe(409)
        expect((await say('a', 'two', 'ok', { key: 'k1', user: 'ben' })).json).toEqual({ count: 2 })
        expect((await say('a', 'two', 'ok', { key: 'k1', user: 'ada', tenant: 'other' })).json).toEqual({ count: 1 })
      })

      test('a refused request is not remembered', async () => {
        expect((await say('a', 'one', 'refuse', { key: 'k1' })).status).toBe(422)
        expect((await say('a', 'one', 'refuse', { key: 'k1' })).headers.get('idempotency-replayed')).toBeNull()
      })

      test('an answer too large to be kept is repeated without its body, and says so', async () => {
        expect((await say('a', 'one', 'large', { key: 'k1' })).text).toHaveLength(100_000)
        const again = await say('a', 'one', 'large', { key: 'k1' })
        expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([201, '', 'status-only'])
        expect(await heard('a')).toEqual(['one'])
      })

      test('an odd key is refused', async () => {
        for (const key of ['', 'x'.repeat(256)])
          expect(await say('a', 'one', 'ok', { key })).toMatchObject({
            status: 400,
            json: { field: 'Idempotency-Key' },
          })
      })
    })
  })
}

/** What holds for tenants, health and shutdown. */
export function serverBehaviours(name: string, serve: Serve): void {
  describe(`a server with a memory, ${name}`, () => {
    let memory: Memory
    let remove: () => Promise<void>
    let served: Served
    let held: Control
    beforeEach(async () => {
      ;({ memory, remove } = await fileMemory())
      held = control()
      served = await serve({ memory, control: held })
    })
    afterEach(async () => {
      held.go.open()
      await stop(served.server)
      await remove()
    })

    test('50 clients of five tenants at once never see anything of another', async () => {
      const { say, heard } = client(served.url)
      const work = async (n: number) => {
        const tenant = `tenant-${n % 5}`
        for (let i = 0; i < 4; i++) {
          // Every third one is rolled back amidst the others.
          const then = (n + i) % 3 === 0 ? 'refuse' : 'ok'
          expect((await say('same', `${tenant} ${n} ${i}`, then, { tenant })).status).toBe(then === 'ok' ? 201 : 422)
          const contents = (await heard('same', tenant)) as string[]
          expect(contents.filter((content) => !content.startsWith(`${tenant} `))).toEqual([])
        }
      }
      await Promise.all(Array.from({ length: 50 }, (_, n) => work(n)))
      for (let t = 0; t < 5; t++) {
        const wanted = Array.from({ length: 50 }, (_, n) => n)
          .filter((n) => n % 5 === t)
          .flatMap((n) => [0, 1, 2, 3].filter((i) => (n + i) % 3 !== 0).map((i) => `tenant-${t} ${n} ${i}`))
        expect(((await heard('same', `tenant-${t}`)) as string[]).sort()).toEqual(wanted.sort())
      }
    })

    test('a request with no tenant or an odd one is refused, and reaches nobody', async () => {
      await memory.forTenant('default').messages.append('a', { role: 'user', content: 'hidden' }, { userId: 'ada' })
      const odd: (string | string[])[] = [
        '',
        ' ',
        '../acme',
        '..',
        'x'.repeat(256),
        'a b',
        'a,b',
        ['acme', 'other'],
        ['acme', 'acme'],
      ]
      for (const tenant of odd) {
        const { status, body } = await raw(served.url, { 'x-tenant-id': tenant })
        expect([tenant, status, JSON.parse(body).field]).toEqual([tenant, 400, 'tenant'])
        expect(body).not.toContain('hidden')
      }
      const { status, body } = await raw(served.url, {})
      expect([status, JSON.parse(body)]).toEqual([
        400,
        expect.objectContaining({ code: 'validation', field: 'tenant' }),
      ])
    })

    test('is live, and ready as long as its memory answers', async () => {
      const { call } = client(served.url)
      expect(await call('/health/live')).toMatchObject({ status: 200 })
      expect(await call('/health/ready')).toMatchObject({ status: 200 })
      await memory.close()
      expect(await call('/health/live')).toMatchObject({ status: 200 })
      expect(await call('/health/ready')).toMatchObject({ status: 503 })
      expect(await call('/chats/a')).toMatchObject({ status: 503, json: { code: 'closed' } })
    })

    test('that shuts down finishes what is in flight, accepts nothing new, and closes the memory', async () => {
      const { say, call } = client(served.url)
      const waiting = say('a', 'one', 'wait')
      await held.arrived.opened
      const down = served.shutdown()
      await sleep(100)
      await expect(call('/health/live')).rejects.toThrow()
      expect(await memory.healthCheck()).toBe(true)
      held.go.open()
      expect(await waiting).toMatchObject({ status: 201, json: { waited: true } })
      const began = performance.now()
      await down
      // A client that keeps its connection does not hold the server up.
      expect(performance.now() - began).toBeLessThan(2000)
      expect(await memory.healthCheck()).toBe(false)
      await expect(memory.forTenant('acme').messages.list('a')).rejects.toMatchObject({ code: 'closed' })
    })
  })
}
