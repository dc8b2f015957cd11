import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'

const client = createRequire(import.meta.url).resolve('better-sqlite3')
const HOLD = `
  const [client, path, ms] = process.argv.slice(1)
  const db = new (require(client))(path)
  db.exec('begin immediate')
  process.stdout.write('held\\n')
  setTimeout(() => { db.exec('commit'); db.close() }, Number(ms))
`

/** Another process that holds the write lock of a file for so many milliseconds; resolves once it has it. */
export async function holdLock(path: string, ms: number): Promise<{ readonly released: Promise<unknown> }> {
  const child = spawn(process.execPath, ['-e', HOLD, client, path, String(ms)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const released = once(child, 'close')
  await once(child.stdout, 'data')
  return { released }
}

/** The longest time that the event loop stood still while some work went on, in milliseconds. */
export async function longestPause(work: Promise<unknown>): Promise<number> {
  let [longest, last] = [0, performance.now()]
  const tick = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(tick, 5)
  try {
    await work
  } finally {
    clearInterval(timer)
  }
  tick()
  return longest
}
