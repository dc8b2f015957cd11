import { expect, it } from 'vitest'
import type { JsonValue } from '../../src/model/records.js'
import { gate } from '../support/gate.js'
import type { Ground } from './harness.js'

/** A load that counts how often it was asked. */
export function counting(value: JsonValue = 'loaded') {
  const load = async (): Promise<JsonValue> => {
    load.times++
    return value
  }
  load.times = 0
  return load
}

/** Writes while a load of the key runs; answers what the load's caller got. */
async function overtake(
  load: (during: () => Promise<string>) => Promise<unknown>,
  write: () => Promise<unknown>,
): Promise<unknown> {
  const [begun, finish] = [gate(), gate()]
  const answer = load(async () => {
    begun.open()
    await finish.opened
    return 'old'
  })
  await begun.opened
  await write()
  finish.open()
  return answer
}

/** A write while a load of its key runs: what was loaded is old by then. */
export function itIsOvertaken(ground: Ground): void {
  it('a key that is set while its load runs keeps what was set', async () => {
    const memory = await ground.open()
    const answer = await overtake(
      (during) => memory.cache.getOrLoad('k', during),
      () => memory.cache.set('k', 'new'),
    )
    expect(['old', 'new']).toContain(answer)
    expect(await memory.cache.get('k')).toBe('new')
  })

  it('a key that is deleted while its load runs stays deleted, also where it was never there', async () => {
    const memory = await ground.open()
    for (const before of [[], ['set', 'delete'], ['delete']]) {
      for (const step of before) await (step === 'set' ? memory.cache.set('k', 'before') : memory.cache.delete('k'))
      await overtake(
        (during) => memory.cache.getOrLoad('k', during),
        () => memory.cache.delete('k'),
      )
      expect(await memory.cache.get('k'), before.join()).toBeNull()
    }
    expect(await memory.cache.getOrLoad('k', counting())).toBe('loaded')
  })

  it('who asks behind a change is not given what an older load brings', async () => {
    const memory = await ground.open()
    const changes = [() => memory.cache.delete('k'), () => memory.unitOfWork((unit) => unit.cache.delete('k'))] as const
    for (const change of ground.lacks('atomicUnit') ? changes.slice(0, 1) : changes) {
      await memory.cache.delete('k')
      const [begun, finish] = [gate(), gate()]
      const older = memory.cache.getOrLoad('k', async () => {
        begun.open()
        await finish.opened
        return 'old'
      })
      await begun.opened
      await change()
      const behind = memory.cache.getOrLoad('k', async () => 'new')
      finish.open()
      expect(await older).toBe('old')
      expect(await behind).toBe('new')
      expect(await memory.cache.get('k')).toBe('new')
    }
  })

  it('a write to another key, or of another tenant, overtakes nothing', async () => {
    const memory = await ground.open()
    await overtake(
      (during) => memory.cache.getOrLoad('k', during),
      async () => {
        await memory.cache.set('K', 1)
        await memory.forTenant('other').cache.delete('k')
      },
    )
    expect(await memory.cache.get('k')).toBe('old')
  })

  ground.sharedCache('a write by another instance overtakes a load as well', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    const ask = (during: () => Promise<string>) => memory.cache.getOrLoad('k', during)
    await overtake(ask, () => second.cache.set('k', 'new'))
    expect([await memory.cache.get('k'), await second.cache.get('k')]).toEqual(['new', 'new'])
    await memory.cache.delete('k')
    await overtake(ask, () => second.cache.delete('k'))
    expect([await memory.cache.get('k'), await second.cache.get('k')]).toEqual([null, null])
  })

  ground.sharedCache('what one instance has loaded is there for another, until it is deleted', async () => {
    const memory = await ground.open()
    const second = await ground.reopen(memory)
    await memory.cache.getOrLoad('k', counting())
    const load = counting('again')
    expect(await second.cache.getOrLoad('k', load)).toBe('loaded')
    expect(load.times).toBe(0)
    await second.cache.delete('k')
    expect(await memory.cache.getOrLoad('k', load)).toBe('again')
  })
}
