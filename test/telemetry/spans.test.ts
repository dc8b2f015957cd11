import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { beforeEach, describe, expect, test } from 'vitest'
import { listen, named, spansOf, sqlite } from './support.js'

listen()
beforeEach(() => void spansOf())

describe('a span', () => {
  test('is made of each call, named after its verb, with what the conventions say of a database', async () => {
    const memory = sqlite()
    await memory.connect()
    await memory.messages.append(
      'c',
      [
        { role: 'user', content: 'one' },
        { role: 'user', content: 'two' },
      ],
      { userId: 'u' },
    )
    await memory.messages.list('c')
    await memory.users.get('u')
    await memory.users.get('nobody')
    await memory.messages.append('c', [{ role: 'user', content: 'three' }])
    const [append, list, get, nobody, single] = spansOf()
    expect(append).toMatchObject({ name: 'messages.append', kind: SpanKind.CLIENT, parentSpanContext: undefined })
    expect(append?.attributes).toEqual({
      'db.system.name': 'sqlite',
      'db.operation.name': 'messages.append',
      'db.operation.batch.size': 2,
      'db.response.returned_rows': 2,
    })
    expect(list?.attributes).toMatchObject({ 'db.operation.name': 'messages.list', 'db.response.returned_rows': 2 })
    expect(get?.attributes['db.response.returned_rows']).toBe(1)
    expect(nobody?.attributes['db.response.returned_rows']).toBe(0)
    // One record is no batch.
    expect(single?.attributes).not.toHaveProperty('db.operation.batch.size')
  })

  test('of the very first call, which opens the memory, spans the opening too', async () => {
    const memory = sqlite()
    await memory.unitOfWork(async (unit) => unit.users.create({ id: 'u' }))
    const found = spansOf()
    expect(found.map(({ name }) => name)).toEqual(['users.create', 'unitOfWork'])
    const [create, unit] = found
    expect(create?.parentSpanContext?.spanId).toBe(unit?.spanContext().spanId)
    expect(unit?.duration[1]).toBeGreaterThan(create?.duration[1] as number)
  })

  test('of a call in a unit is a child of the unit, and a span of the program’s own stands between', async () => {
    const memory = sqlite()
    await memory.connect()
    const tracer = trace.getTracer('program')
    await tracer.startActiveSpan('request', async (request) => {
      await memory.unitOfWork(async (unit) => {
        await unit.messages.append('c', { role: 'user', content: 'x' }, { userId: 'u' })
        await unit.unitOfWork((inner) => inner.memories.add({ userId: 'u', type: 'fact', content: 'y' }))
        await tracer.startActiveSpan('own', async (own) => {
          await unit.cache.get('k')
          own.end()
        })
      })
      request.end()
    })
    const found = spansOf()
    const parentOf = (name: string) =>
      found.find((each) => each.spanContext().spanId === named(found, name).parentSpanContext?.spanId)
    expect(parentOf('messages.append')).toMatchObject({ name: 'unitOfWork', kind: SpanKind.INTERNAL })
    expect(parentOf('memories.add')?.name).toBe('unitOfWork')
    expect(parentOf('cache.get')?.name).toBe('own')
    const [inner, outer] = found.filter(({ name }) => name === 'unitOfWork')
    expect(parentOf('memories.add')).toBe(inner)
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId)
    expect(outer?.parentSpanContext?.spanId).toBe(named(found, 'request').spanContext().spanId)
  })

  test('of a unit that waited for another one is the child of its own caller', async () => {
    const memory = sqlite()
    await memory.connect()
    const tracer = trace.getTracer('program')
    await Promise.all(
      ['a', 'b', 'c'].map((id) =>
        tracer.startActiveSpan(id, async (request) => {
          await memory.unitOfWork(async (unit) => {
            await new Promise((resolve) => setTimeout(resolve, 5))
            await unit.users.create({ id })
          })
          request.end()
        }),
      ),
    )
    const found = spansOf()
    const traces = found.filter(({ name }) => name === 'users.create').map((span) => span.spanContext().traceId)
    expect(new Set(traces).size).toBe(3)
  })

  test('of a call that failed has the error’s code, and none of its words', async () => {
    const memory = sqlite()
    await memory.connect()
    await expect(memory.memories.delete('unknown')).rejects.toThrow()
    await expect(
      memory.unitOfWork(async () => {
        throw new TypeError('a secret of the program')
      }),
    ).rejects.toThrow('a secret of the program')
    await expect(memory.unitOfWork(undefined as never)).rejects.toThrow()
    const [missing, unit, nothing] = spansOf()
    expect(missing).toMatchObject({ name: 'memories.delete', status: { code: SpanStatusCode.ERROR } })
    expect(missing?.attributes['error.type']).toBe('not-found')
    expect(unit?.attributes['error.type']).toBe('_OTHER')
    expect(nothing?.attributes['error.type']).toBe('validation')
    expect(JSON.stringify([missing?.status, unit?.status, unit?.events])).toBe('[{"code":2},{"code":2},[]]')
  })

  test('of a stream goes from its first row to its last, also where the program stops', async () => {
    const memory = sqlite()
    await memory.users.create({ id: 'a' })
    await memory.users.create({ id: 'b' })
    spansOf()
    for await (const _ of memory.users.each());
    for await (const _ of memory.users.each()) break
    const found = spansOf()
    expect(found.map(({ name, attributes }) => [name, attributes['db.response.returned_rows']])).toEqual([
      ['users.each', 2],
      ['users.each', 1],
    ])
  })

  test('names its tenant only where that was asked for', async () => {
    const memory = sqlite({ telemetry: { tenant: true } })
    await memory.forTenant('acme').users.list()
    const silent = sqlite()
    await silent.forTenant('acme').users.list()
    expect(spansOf().map(({ attributes }) => attributes['bruno_memory.tenant'])).toEqual(['acme', undefined])
  })

  test('is not made where telemetry is off', async () => {
    for (const telemetry of [false, { spans: false }]) {
      const memory = sqlite({ telemetry })
      await memory.unitOfWork(async (unit) => unit.users.create({ id: 'u' }))
    }
    expect(spansOf()).toEqual([])
  })
})
