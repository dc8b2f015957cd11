import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { prepare } from '../../src/backend.js'
import type { Journal } from '../../src/contract/journal.js'
import type { Memory } from '../../src/contract/memory.js'
import { ValidationError } from '../../src/errors.js'
import { ALL_ENGINES, dispose, freshMemory, freshUrl, leaveServer, open, SQL_ENGINES } from './stores.js'

afterEach(dispose)
afterAll(leaveServer)

const found = async (memory: Memory, userId: string) =>
  (await memory.erase({ tenantId: 'acme', userId }, { dryRun: true })).stores.flatMap(({ parts }) =>
    parts.filter(({ found: n }) => n > 0).map(({ what }) => what),
  )

describe.each(ALL_ENGINES)('erase from %s', (engine) => {
  test('forgets what operations answered, and a repetition of others’ does not run again', async () => {
    const memory = await freshMemory(engine)
    const acme = memory.forTenant('acme')
    let runs = 0
    const saying = (userId: string, content: string) =>
      acme.unitOfWork(
        async (unit) => {
          runs++
          await unit.messages.append(`c-${userId}`, { id: 'first', role: 'user', content }, { userId })
          return { repeated: 'what ada had said' }
        },
        { operationId: `say-${userId}` },
      )
    await saying('ada', 'something of ada')
    await saying('bob', 'something of bob')
    expect(runs).toBe(2)
    expect(await memory.erase({ tenantId: 'acme', userId: 'ada' }, { scrub: false })).toMatchObject({ erased: true })
    expect(await saying('bob', 'something of bob')).toEqual({
      operationId: 'say-bob',
      records: [{ kind: 'message', key: ['c-bob', 'first'] }],
    })
    expect(runs).toBe(2)
    await saying('ada', 'something new')
    expect(runs).toBe(3)
  })

  test('of an unknown user finds nothing, and says that nothing is left', async () => {
    const memory = await freshMemory(engine)
    const report = await memory.erase({ tenantId: 'acme', userId: 'nobody' }, { scrub: false })
    expect(report).toMatchObject({ erased: true, subject: { tenantId: 'acme', userId: 'nobody' } })
    expect(report.stores[0]?.parts.every(({ found: n, left }) => n === 0 && left === 0)).toBe(true)
  })

  test('refuses a subject that is not whole, before anything is done', async () => {
    const memory = await freshMemory(engine)
    await memory.forTenant('acme').users.create({ id: 'ada' })
    for (const wrong of [{}, { userId: 'ada' }, { tenantId: '' }, { tenantId: 'acme', userId: undefined }, null])
      await expect(memory.erase(wrong as never)).rejects.toThrow(ValidationError)
    await expect(memory.erase({ tenantId: 'acme' }, { dryrun: true } as never)).rejects.toThrow(ValidationError)
    expect(await memory.forTenant('acme').users.get('ada')).not.toBe(null)
  })
})

describe.each(SQL_ENGINES)('the rest of a tenant in %s', (engine) => {
  test('documents are the tenant’s: a user leaves them, the tenant does not', async () => {
    const memory = await freshMemory(engine)
    const acme = memory.forTenant('acme')
    await acme.documents.upsert([{ namespace: 'handbook', id: 'one', content: 'about ada' }])
    await acme.users.create({ id: 'ada' })
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' }, { scrub: false })
    expect(report.notes).toContain('documents belong to no user: none was touched')
    expect(await acme.documents.get('handbook', 'one')).not.toBe(null)
    expect(await memory.erase({ tenantId: 'acme' }, { scrub: false })).toMatchObject({ erased: true })
    expect(await acme.documents.get('handbook', 'one')).toBe(null)
  })

  test('a session and a memory of others outlive the conversation that they name', async () => {
    const memory = await freshMemory(engine)
    const acme = memory.forTenant('acme')
    await acme.conversations.create({ id: 'shared', userId: 'ada' })
    const session = await acme.sessions.create({ userId: 'bob', conversationId: 'shared' })
    await memory.erase({ tenantId: 'acme', userId: 'ada' }, { scrub: false })
    expect(await acme.sessions.get(session.id)).toMatchObject({ userId: 'bob', conversationId: null })
  })
})

describe.each(ALL_ENGINES)('the journal of %s', (engine) => {
  const entry = (id: string, what: unknown) => ({
    id,
    tenantId: 'acme',
    epoch: 1,
    createdAt: new Date(),
    what: JSON.stringify(what),
  })

  test('loses the entries of a user; with one that another user needs nothing is begun', async () => {
    const url = await freshUrl(engine)
    const memory = open(url)
    const acme = memory.forTenant('acme')
    for (const id of ['ada', 'bob']) await acme.conversations.create({ id: `c-${id}`, userId: id })
    const backend = await prepare(url, {}).load()
    await backend.open()
    const journal = backend.journal as Journal
    const add = (id: string, what: unknown) => backend.unit('acme', async (unit) => unit.journal?.add(entry(id, what)))
    await add('ada', { acts: [['append', 'c-ada', 'words of ada']] })
    await add('bob', { acts: [['append', 'c-bob', 'words of bob']] })
    await add('both', {
      acts: [
        ['append', 'c-ada'],
        ['append', 'c-bob'],
      ],
    })
    const waiting = () => journal.read(['waiting'], 10)
    const ids = async () => (await waiting()).map(({ id }) => id)
    const erase = () => memory.erase({ tenantId: 'acme', userId: 'ada' }, { scrub: false })
    expect(await found(memory, 'ada')).toContain(engine === 'redis' ? 'journal' : 'bruno_journal')
    const refused = await erase()
    expect(refused).toMatchObject({ erased: false })
    expect(refused.stores[0]?.error).toContain('hand them back')
    expect(await acme.conversations.get('c-ada')).not.toBe(null)
    await journal.remove((await waiting()).filter(({ id }) => id === 'both'))
    expect(await erase()).toMatchObject({ erased: true })
    expect(await ids()).toEqual(['bob'])
    await add('whose', { acts: [['append', 'c-gone', 'words']] })
    const doubtful = await erase()
    expect(doubtful).toMatchObject({ erased: false })
    expect(doubtful.stores[0]?.waiting).toEqual([{ follower: 'the hand-back of an outage', records: 1 }])
    expect(await memory.erase({ tenantId: 'acme' }, { scrub: false })).toMatchObject({ erased: true })
    expect(await ids()).toEqual([])
    await backend.close()
  })
})
