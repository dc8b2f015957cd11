/** A promise that is settled from outside: holds a unit open while the test looks around. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

export function gate(): Gate {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** Lets everything run that is ready to run, network and disk included, for a moment. */
export const pause = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
