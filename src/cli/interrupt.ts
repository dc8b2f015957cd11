/** An exit code for a command that Ctrl-C ended: 128 and the signal's number, as shells have it. */
export const INTERRUPTED = 130

/**
 * Turns the first Ctrl-C (or a polite kill) into a request to stop at the next safe point. The second one ends the
 * process as usual.
 */
export function onInterrupt(ask: () => void): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const handler = (): void => {
    dispose()
    ask()
    controller.abort()
  }
  const dispose = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, handler)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, handler)
  return { signal: controller.signal, dispose }
}
