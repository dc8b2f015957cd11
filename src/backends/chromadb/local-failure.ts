import { type BrunoMemoryError, ConfigurationError, ConnectionError } from '../../errors.js'
import { bindingName, WAYS_OUT } from './local-programs.js'

/** Why a keeper gave its server up. */
export interface Failure {
  /** `unusable`: none of the programs can be run; `ended`: the server ends again and again. */
  readonly reason: 'unusable' | 'ended'
  /** What was tried, in this order, with what it wrote. */
  readonly programs: readonly { readonly name: string; readonly output: string }[]
}

export function serverError(folder: string, { reason, programs }: Failure): BrunoMemoryError {
  const tried = programs.map(({ name, output }) => `${name} (${lastWords(output)})`).join('; ')
  if (reason === 'ended')
    return new ConnectionError(`the server of ChromaDB does not stay up on ${folder}; tried: ${tried}`)
  const wanted = programs.flatMap(({ output }) => [...output.matchAll(/GLIBC_([\d.]+)'? not found/g)])
  const fix = wanted.length > 0 ? glibcAdvice(wanted.map((match) => match[1] ?? '')) : WAYS_OUT
  return new ConfigurationError(`the server of ChromaDB cannot be run; tried: ${tried}; ${fix}`)
}

/** The newest bindings are built for a newer C library than long-lived distributions have; 1.0.1 is not. */
function glibcAdvice(versions: readonly string[]): string {
  const newest = [...versions].sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1])).at(-1)
  return (
    `this native binding needs glibc ${newest}, which this system does not have; version 1.0.1 of it needs 2.34: put ` +
    `"overrides": { "chromadb": { "${bindingName()}": "1.0.1" } } into package.json and install again, or ${WAYS_OUT}`
  )
}

const LINES = 3
const CHARACTERS = 400

/** The end of what a program wrote, on one line and without its colours. */
function lastWords(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal begin with one
  const plain = output.replace(/\u001b\[[\d;]*m/g, '')
  const lines = plain.split('\n').map((line) => line.trim())
  const words = lines.filter((line) => line !== '').slice(-LINES)
  return words.join(' / ').slice(-CHARACTERS) || 'it wrote nothing'
}
