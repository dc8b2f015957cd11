import type { Memory } from '../../src/contract/memory.js'
import type { Bad } from './validation-values.js'

/** One call with one bad value, and the path by which it must be refused. */
export interface BadCall {
  readonly name: string
  readonly field: string
  readonly call: (memory: Memory) => unknown
}

/** Bad values by field. */
export type Fields = Readonly<Record<string, readonly Bad[]>>

/** Input that holds what it is tested for, and so is none that a type would let through. */
export type Untyped = never

/** A call for every bad value of every field, put into otherwise good input. */
export function each(
  fields: Fields,
  good: object,
  call: (memory: Memory, input: Untyped) => unknown,
  path: (field: string) => string = (field) => field,
): BadCall[] {
  return Object.entries(fields).flatMap(([field, values]) =>
    values.map(([name, value, within = '']) => ({
      name: `${field}: ${name}`,
      field: path(field) + within,
      call: (memory) => call(memory, { ...good, [field]: value } as Untyped),
    })),
  )
}

/** One call that is bad as a whole. */
export const single = (name: string, field: string, call: (memory: Memory) => unknown): BadCall => ({
  name,
  field,
  call,
})
