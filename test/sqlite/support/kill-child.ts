/** A process that writes without end, says what was acknowledged, and is killed. */
import { writeSync } from 'node:fs'
import { createBackend } from '../../../src/backend.js'
import { Rescinded } from '../../support/rescinded.js'
import type { Said } from './kill.js'

const [databasePath = '', durability = 'power'] = process.argv.slice(2)
const memory = createBackend('sqlite', { databasePath, durability: durability as 'power' | 'process' })

/** Written at once: what stands in the pipe outlives this process. */
const say = (said: Said): void => void writeSync(1, `${JSON.stringify(said)}\n`)
const text = (id: string) => ({ id, role: 'user' as const, content: `word ${id.replaceAll('-', 'x')}` })
const options = { userId: 'ada' }

/** Ends each id in a digit, which no stemmer touches. */
async function single(lane: number): Promise<void> {
  for (let n = 0; ; n++) {
    const id = `s-${lane}-${n}`
    await memory.messages.append(`single-${lane % 3}`, text(id), options)
    say({ conversation: `single-${lane % 3}`, ids: [id] })
  }
}

async function batches(): Promise<void> {
  for (let n = 0; ; n++) {
    const batch = Array.from({ length: 20 }, (_, i) => text(`b-${n}-${i}`))
    await memory.messages.append('batch', batch, options)
    say({ conversation: 'batch', ids: batch.map((message) => message.id) })
  }
}

/** Five messages and a memory are one unit; what a failed inner unit wrote is never there. */
async function units(): Promise<void> {
  for (let n = 0; ; n++) {
    const ids = Array.from({ length: 5 }, (_, i) => `u-${n}-${i}`)
    await memory.unitOfWork(async (unit) => {
      await unit.messages.append('unit', ids.slice(0, 3).map(text), options)
      await unit
        .unitOfWork(async (inner) => {
          await inner.messages.append('unit', text(`never-${n}`))
          throw new Rescinded()
        })
        .catch(() => undefined)
      await unit.unitOfWork(async (inner) => {
        await inner.messages.append('unit', ids.slice(3).map(text))
        await inner.memories.add({ id: `u-${n}`, userId: 'ada', content: `unit ${n}` })
      })
    })
    say({ conversation: 'unit', ids, memory: `u-${n}` })
  }
}

async function deletes(): Promise<void> {
  for (let n = 0; ; n++) {
    const id = `d-${n}`
    await memory.messages.append('deleted', [text(id), text(`k-${n}`)], options)
    say({ conversation: 'deleted', ids: [id, `k-${n}`] })
    say({ conversation: 'deleted', deleting: id })
    await memory.messages.delete('deleted', id)
    say({ conversation: 'deleted', deleted: id })
  }
}

await Promise.all([...Array.from({ length: 8 }, (_, lane) => single(lane)), batches(), units(), deletes()])
