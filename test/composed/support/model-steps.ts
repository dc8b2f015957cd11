import fc from 'fast-check'
import type { TenantMemory, UnitOfWork } from '../../../src/contract/memory.js'
import { FAULTS, type Fault } from './telling.js'
import { vectorOf } from './vectors.js'

export const TENANTS = ['t0', 't1'] as const
const SCOPES = ['s0', 's1'] as const
const IDS = ['a', 'b', 'c', 'd'] as const

/** What is done to one record, or to all of a conversation or namespace. */
interface Edit {
  readonly kind: 'message' | 'memory' | 'document'
  readonly scope: (typeof SCOPES)[number]
  readonly id: (typeof IDS)[number]
  /** `bare` brings no vector: the record is no longer the follower's. */
  readonly verb: 'put' | 'bare' | 'delete' | 'delete scope'
}

export type ModelStep =
  | {
      readonly step: 'write'
      readonly tenant: (typeof TENANTS)[number]
      readonly edits: Edit[]
      readonly thrown: boolean
    }
  | { readonly step: 'settle'; readonly settler: number; readonly fault: Fault; readonly wait: boolean }
  | { readonly step: 'deliver'; readonly nth: number }
  | { readonly step: 'time'; readonly ms: number }

export const SETTLERS = 4

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('message', 'memory', 'document'),
  scope: fc.constantFrom(...SCOPES),
  id: fc.constantFrom(...IDS),
  verb: fc.oneof(
    { weight: 6, arbitrary: fc.constant('put' as const) },
    { weight: 2, arbitrary: fc.constant('bare' as const) },
    { weight: 3, arbitrary: fc.constant('delete' as const) },
    { weight: 1, arbitrary: fc.constant('delete scope' as const) },
  ),
})

export const modelStep: fc.Arbitrary<ModelStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      step: fc.constant('write' as const),
      tenant: fc.constantFrom(...TENANTS),
      edits: fc.array(edit, { minLength: 1, maxLength: 32, size: 'max' }),
      thrown: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant('settle' as const),
      settler: fc.nat(SETTLERS - 1),
      fault: fc.constantFrom(...FAULTS),
      wait: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('deliver' as const), nth: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('time' as const), ms: fc.nat(20_000) }) },
)

/** How many steps one is: each edit is one. */
export const stepsOf = (step: ModelStep): number => (step.step === 'write' ? step.edits.length : 1)

let text = 0

type Verbs = TenantMemory | UnitOfWork

/** Puts or removes a record, whatever there is. */
export async function applyEdit(verbs: Verbs, { kind, scope, id, verb }: Edit): Promise<void> {
  const content = `text ${++text}`
  const vector = verb === 'put' ? { vector: vectorOf(content) } : {}
  if (verb === 'delete scope') return deleteScope(verbs, kind, scope)
  if (verb === 'delete') return deleteOne(verbs, kind, scope, id)
  if (kind === 'message')
    await verbs.messages.upsert(scope, { id, role: 'user', content, ...vector }, { userId: 'ada' })
  else if (kind === 'document') await verbs.documents.upsert({ namespace: scope, id, content, ...vector })
  else if (verb === 'bare' && (await verbs.memories.get(id))) await verbs.memories.update(id, { content })
  else {
    if (await verbs.memories.get(id)) await verbs.memories.delete(id)
    await verbs.memories.add({ id, userId: 'ada', content, importance: 0.5, tags: [scope], ...vector })
  }
}

async function deleteScope(verbs: Verbs, kind: Edit['kind'], scope: string): Promise<void> {
  if (kind === 'document') await verbs.documents.deleteNamespace(scope)
  else if (await verbs.conversations.get(scope))
    await (kind === 'message' ? verbs.conversations.delete(scope) : verbs.messages.clear(scope, { keepSystem: false }))
}

async function deleteOne(verbs: Verbs, kind: Edit['kind'], scope: string, id: string): Promise<void> {
  if (kind === 'message' && (await verbs.messages.get(scope, id))) await verbs.messages.delete(scope, id)
  if (kind === 'memory' && (await verbs.memories.get(id))) await verbs.memories.delete(id)
  if (kind === 'document' && (await verbs.documents.get(scope, id))) await verbs.documents.delete(scope, id)
}
