import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { leave } from './health.js'

export interface ShutdownOptions {
  /** Milliseconds that requests in flight are waited for, default 10,000; then their connections are cut. */
  readonly deadline?: number | undefined
  /** Milliseconds between being not ready and accepting nothing more, default 0: for balancers that look now and then. */
  readonly delay?: number | undefined
  /** Signals that begin it, default `SIGTERM` and `SIGINT`; a second one ends the process at once. */
  readonly signals?: readonly NodeJS.Signals[] | undefined
}

type Closing = Pick<Server, 'close' | 'closeIdleConnections' | 'closeAllConnections'>

/** Milliseconds between two looks for connections that have become idle. */
const LOOK = 50

/** Closes connections as they become idle, for a server that is closing; answers what ends it. */
export function closeIdle(server: Pick<Closing, 'closeIdleConnections'>): () => void {
  // A client that keeps its connection would hold the server open until it goes.
  const timer = setInterval(() => server.closeIdleConnections(), LOOK)
  server.closeIdleConnections()
  return () => clearInterval(timer)
}

async function stop(server: Closing, deadline: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const done = closeIdle(server)
  const cut = setTimeout(() => server.closeAllConnections(), deadline)
  await closed
  clearTimeout(cut)
  done()
}

/**
 * Ends a server without losing anything: not ready any more, accepts nothing, answers what is in flight, closes the
 * memory. It begins at a signal, or when what it answers is called, whichever is first.
 */
export function closeOnShutdown(
  server: Closing,
  memory: { close(): Promise<void> },
  options: ShutdownOptions = {},
): () => Promise<void> {
  const { deadline = 10_000, delay = 0, signals = ['SIGTERM', 'SIGINT'] } = options
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    leave(memory)
    if (delay > 0) await sleep(delay)
    await stop(server, deadline)
    await memory.close()
  }
  const begin = (): Promise<void> => {
    for (const signal of signals) process.off(signal, onSignal)
    closing ??= close()
    return closing
  }
  // A store that cannot be closed must not turn the end into a crash.
  const onSignal = (): void => void begin().catch(() => undefined)
  for (const signal of signals) process.once(signal, onSignal)
  return begin
}
