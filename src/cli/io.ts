/** What a command may touch of the process; tests hand in their own. */
export interface CliIo {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
  /** Called at most once, with 0 only on full success, 1 when the work failed in part or whole, 2 for wrong usage. */
  setExitCode(code: number): void
}

export const processIo = (): CliIo => ({
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  setExitCode: (code) => {
    process.exitCode = code
  },
})

export const line = (stream: NodeJS.WritableStream, text: string): void => {
  stream.write(`${text}\n`)
}

/** One JSON document on standard output: what `--json` prints, dates as ISO strings. */
export const printJson = (io: CliIo, value: unknown): void => line(io.stdout, JSON.stringify(value, null, 2))
