import { expect, it } from 'vitest'
import { Rescinded } from '../support/rescinded.js'
import { failure } from './expecting.js'
import { contentsOf, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeSavepoints(harness: Harness): void {
  const needs = ['atomicUnit', 'users', 'conversations', 'messages'] as const
  suite(harness, 'unit of work: savepoints', needs, itNests)
}

function itNests(ground: Ground): void {
  it('an inner unit that throws is undone alone, and the outer unit goes on', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (outer) => {
      await talk(outer, 'c', ['1'])
      const error = await failure(
        outer.unitOfWork(async (inner) => {
          await talk(inner, 'c', ['inner'])
          await talk(inner, 'c2', ['inner'], 'eve')
          throw new Rescinded()
        }),
      )
      expect(error).toBeInstanceOf(Rescinded)
      expect((await outer.statistics()).messages).toBe(1)
      const result = await outer.unitOfWork(async (inner) => (await talk(inner, 'c', ['2']))[0]?.content)
      expect(result).toBe('2')
      await outer.unitOfWork((inner) => inner.unitOfWork((innermost) => talk(innermost, 'c', ['3'])))
    })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['1', '2', '3'])
    expect(await memory.users.get('eve')).toBeNull()
  })

  it('an outer unit that throws takes its inner units with it', async () => {
    const memory = await ground.open()
    await failure(
      memory.unitOfWork(async (outer) => {
        await outer.unitOfWork((inner) => talk(inner, 'c', ['inner']))
        throw new Rescinded()
      }),
    )
    expect((await memory.messages.list('c')).items).toEqual([])
    expect((await memory.statistics()).conversations).toBe(0)
  })

  it('a rollback deep inside leaves what stands around it', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (one) => {
      await talk(one, 'c', ['1'])
      await one.unitOfWork(async (two) => {
        await talk(two, 'c', ['2'])
        await failure(
          two.unitOfWork(async (three) => {
            await talk(three, 'c', ['3'])
            await three.unitOfWork((four) => talk(four, 'c', ['4']))
            throw new Rescinded()
          }),
        )
        await talk(two, 'c', ['5'])
      })
    })
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['1', '2', '5'])
  })

  it('inner units begun side by side keep apart what is undone and what stays', async () => {
    const memory = await ground.open()
    await memory.unitOfWork(async (outer) => {
      await talk(outer, 'c', ['start'])
      const inner = (name: string, fails: boolean) =>
        outer.unitOfWork(async (unit) => {
          await talk(unit, 'c', [`${name}1`])
          await talk(unit, 'c', [`${name}2`])
          if (fails) throw new Rescinded()
        })
      await Promise.allSettled([inner('a', false), inner('b', true), inner('c', false)])
    })
    const contents = contentsOf((await memory.messages.list('c')).items)
    expect([...contents].sort()).toEqual(['a1', 'a2', 'c1', 'c2', 'start'])
  })
}
