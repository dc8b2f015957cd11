// `npm run torture redis-kill`, or this file with `--kills N`: the server killed with SIGKILL and started again under
// appends and units of two instances; afterwards everything acknowledged is there, once, in order, and no unit is half.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { BrunoMemoryError, createBackend, type Memory } from '../../src/index.js'
import { startRedis } from '../ground/index.js'

const { values } = parseArgs({ options: { kills: { type: 'string' } } })
const kills = Number(values.kills ?? 20)
const CONVERSATIONS = 8
const server = await startRedis({ own: true, settings: { appendfsync: 'always' } })
const problems: string[] = []
process.on('unhandledRejection', (error) => problems.push(`unhandled rejection: ${String(error)}`))
process.on('uncaughtException', (error) => problems.push(`uncaught exception: ${String(error)}`))

/** What one writer was told of, in order: each append and each unit writes its number. */
interface Writer {
  readonly conversation: string
  readonly acknowledged: number[]
  readonly refused: number[]
}

let stopped = false

/** Odd numbers are units: a message and a memory together. */
async function write(memory: Memory, { conversation, acknowledged, refused }: Writer): Promise<void> {
  for (let i = 0; !stopped; i++) {
    const message = { role: 'user' as const, content: String(i) }
    try {
      if (i % 2 === 0) await memory.messages.append(conversation, message)
      else
        await memory.unitOfWork(async (unit) => {
          await unit.messages.append(conversation, message)
          await unit.memories.add({ id: `${conversation} ${i}`, userId: 'ada', content: String(i) })
        })
      acknowledged.push(i)
    } catch (error) {
      if (!(error instanceof BrunoMemoryError && error.retryable))
        problems.push(`${conversation} ${i}: ${String(error)}`)
      refused.push(i)
    }
  }
}

async function check(memory: Memory, writer: Writer): Promise<number> {
  const { conversation, acknowledged, refused } = writer
  const stored: number[] = []
  let position = 0
  for await (const message of memory.messages.each(conversation)) {
    if (message.position !== ++position) problems.push(`${conversation}: position ${message.position} at ${position}`)
    stored.push(Number(message.content))
  }
  const told = new Set(acknowledged)
  const expected = stored.filter((i) => told.has(i))
  if (expected.join() !== acknowledged.join()) problems.push(`${conversation}: lost, doubled or out of order`)
  for (const i of stored) if (!told.has(i) && !refused.includes(i)) problems.push(`${conversation}: ${i} of nobody`)
  for (const i of [...acknowledged, ...refused].filter((each) => each % 2 === 1)) {
    const whole = (await memory.memories.get(`${conversation} ${i}`)) !== null
    if (whole !== stored.includes(i)) problems.push(`${conversation}: half of unit ${i}`)
  }
  const { messageCount = -1, lastPosition } = (await memory.conversations.get(conversation)) ?? {}
  if (messageCount !== stored.length || lastPosition !== position) problems.push(`${conversation}: wrong counters`)
  return stored.length
}

try {
  const open = () => createBackend('redis', { url: server.url, callTimeout: 5000 }) as Memory
  const instances = [open(), open()]
  const writers = Array.from(
    { length: CONVERSATIONS },
    (_, i): Writer => ({ conversation: `c${i}`, acknowledged: [], refused: [] }),
  )
  for (const { conversation } of writers) await instances[0]?.conversations.create({ id: conversation, userId: 'ada' })
  const writing = writers.map((writer, i) => write(instances[i % 2] as Memory, writer))
  for (let i = 0; i < kills; i++) {
    await sleep(150 + ((i * 37) % 200))
    await server.kill()
    await server.start()
  }
  await sleep(500)
  stopped = true
  await Promise.all(writing)
  const last = open()
  let stored = 0
  for (const writer of writers) stored += await check(last, writer)
  const statistics = await last.statistics()
  if (statistics.messages !== stored)
    problems.push(`statistics count ${statistics.messages} messages, ${stored} are there`)
  console.table({
    kills,
    acknowledged: writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    refused: writers.reduce((sum, { refused }) => sum + refused.length, 0),
    stored,
  })
  for (const problem of problems.slice(0, 30)) console.log(`  ${problem}`)
  console.log(
    problems.length === 0 ? '  nothing acknowledged is lost, no unit is half' : `  ${problems.length} problems`,
  )
  process.exitCode = problems.length === 0 ? 0 : 1
  await Promise.all([...instances, last].map((memory) => memory.close()))
} finally {
  await server.stop()
}
