import type { Memory } from '../../contract/memory.js'

/** What is used of a memory to know whether it is well. */
export type HealthyMemory = Pick<Memory, 'connect' | 'healthCheck'>

/** Memories whose server is on its way out. */
const leaving = new WeakSet<object>()

/** From now on the memory is not ready, so that nobody sends more. */
export function leave(memory: object): void {
  leaving.add(memory)
}

/** Milliseconds that a store may take to say that it is well. */
const PATIENCE = 2000

async function asked(memory: HealthyMemory): Promise<boolean> {
  if (await memory.healthCheck()) return true
  // One that nobody used yet is not connected: without this it would never be ready, and never be used.
  await memory.connect()
  return memory.healthCheck()
}

/** Whether requests may come: the store answers in time, and the server is not shutting down. Never throws. */
export async function isReady(memory: HealthyMemory, patience = PATIENCE): Promise<boolean> {
  if (leaving.has(memory)) return false
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, patience, false)
  })
  try {
    return await Promise.race([asked(memory), late])
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
