import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

const LINES = 20

/** What one run adds to the log of its folder. */
export class LogPart {
  readonly #path: string
  readonly #start: number

  private constructor(path: string, start: number) {
    this.#path = path
    this.#start = start
  }

  static async begin(folder: string): Promise<LogPart> {
    const path = join(folder, 'server.log')
    return new LogPart(path, (await stat(path)).size)
  }

  async tail(): Promise<string> {
    const written = (await readFile(this.#path).catch(() => Buffer.alloc(0))).subarray(this.#start)
    return written.toString('utf8').trimEnd().split('\n').slice(-LINES).join('\n')
  }
}
