// A process whose writers write to a memory while it is moved: PRIMARY MOVING-TO NAME WRITERS. It says what was stored,
// one JSON document a line, and ends when its input does.
import { createMemory, MovedError } from '../../../src/index.js'

const [primary = '', movingTo = '', name = '', count = '4'] = process.argv.slice(2)
const memory = createMemory({ primary, ...(movingTo && { movingTo }) })
await memory.connect()

let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
const say = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

/** What was stored last under a key, or null where it was deleted. Said when it was answered. */
const stored = (kind: string, id: string, content: string | null): void => say({ kind, id, content })

async function write(writer: number): Promise<void> {
  const conversation = `${name}-${writer}`
  const live: string[] = []
  const memories: string[] = []
  for (let n = 0; !ended; n++) {
    const id = `m${n}`
    const began = performance.now()
    try {
      if (n % 50 === 49) {
        await memory.conversations.delete(conversation)
        for (const gone of live.splice(0)) stored('message', `${conversation}/${gone}`, null)
      } else if (n % 7 === 3 && live.length > 0) {
        const changed = live[n % live.length] as string
        await memory.messages.update(conversation, changed, { content: `changed ${n}` })
        stored('message', `${conversation}/${changed}`, `changed ${n}`)
      } else if (n % 7 === 5 && live.length > 0) {
        const [gone] = live.splice(n % live.length, 1) as [string]
        await memory.messages.delete(conversation, gone)
        stored('message', `${conversation}/${gone}`, null)
      } else if (n % 7 === 6) {
        const key = `${conversation}-${n}`
        await memory.unitOfWork(
          async (unit) => {
            await unit.memories.add({ id: key, userId: name, type: 'fact', content: `fact ${n}` })
            await unit.messages.append(conversation, [{ id, role: 'user', content: `unit ${n}` }], { userId: name })
          },
          { operationId: `op-${key}` },
        )
        live.push(id)
        memories.push(key)
        stored('memory', key, `fact ${n}`)
        stored('message', `${conversation}/${id}`, `unit ${n}`)
      } else if (n % 7 === 2 && memories.length > 3) {
        const [gone] = memories.splice(0, 1) as [string]
        await memory.memories.delete(gone)
        stored('memory', gone, null)
      } else {
        await memory.messages.append(conversation, [{ id, role: 'user', content: `text ${n}` }], { userId: name })
        live.push(id)
        stored('message', `${conversation}/${id}`, `text ${n}`)
      }
      say({ took: performance.now() - began })
    } catch (error) {
      // Told to go elsewhere, and no more than that.
      if (error instanceof MovedError) return say({ moved: true })
      say({ failed: String(error) })
      ended = true
    }
  }
}

await Promise.all(Array.from({ length: Number(count) }, (_, writer) => write(writer)))
await memory.close()
process.exit(0)
