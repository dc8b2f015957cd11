import { closeSync, openSync, writeSync } from 'node:fs'
import { ConfigurationError } from '../errors.js'
import type { Finding } from '../import/tally.js'

const BUFFER = 64 * 1024

/** Every finding of an import as a JSON line: outcome, kind, field, reason and place; never content. */
export class ReportFile {
  readonly #fd: number
  #text = ''
  constructor(readonly path: string) {
    try {
      this.#fd = openSync(path, 'w', 0o600)
    } catch (error) {
      throw new ConfigurationError(`--report ${path} cannot be written (${(error as NodeJS.ErrnoException).code})`)
    }
  }

  write({ place, ...finding }: Finding): void {
    this.#text += `${JSON.stringify({ ...finding, ...place })}\n`
    if (this.#text.length > BUFFER) this.#flush()
  }

  close(): void {
    this.#flush()
    closeSync(this.#fd)
  }

  #flush(): void {
    const bytes = Buffer.from(this.#text)
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    this.#text = ''
  }
}
