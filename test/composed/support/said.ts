import type { MemoryOptions } from '../../../src/contract/composition.js'
import type { Step } from './steps.js'

/** What a child is to do. */
export interface ChildPlan {
  readonly role: 'writer' | 'settler'
  readonly options: MemoryOptions
  readonly tenants: readonly string[]
  /** In front of every id that it gives. */
  readonly incarnation: string
  readonly seed: number
  /** Where it ends itself by SIGKILL, at which time of its coming there. */
  readonly step: { readonly name: Step; readonly after: number } | null
}

/** A record by kind, tenant, scope and id, as JSON. */
export const keyText = (kind: string, tenant: string, scope: string, id: string): string =>
  JSON.stringify([kind, tenant, scope, id])

/** What becomes of records: their content, null where they are deleted. */
export type Changes = Readonly<Record<string, string | null>>

/** One line of a child. */
export type Said =
  | { readonly ready: true }
  | { readonly intends: number; readonly changes: Changes }
  /** It is stored. */
  | { readonly acknowledged: number }
  /** It was thrown away on purpose. */
  | { readonly rescinded: number }
  /** Nobody knows. */
  | { readonly unsure: number; readonly code: string }
  | { readonly wrong: string }
