import fc from 'fast-check'
import type { NewMessage } from '../../src/model/inputs.js'
import type { Role } from '../../src/model/records.js'
import type { ModelConversation, Step } from './messages-model-state.js'

/** A message as drawn: its id and parent are places among what the conversation holds when its turn comes. */
interface DrawnMessage {
  /** Null makes a new id. */
  readonly existing: number | null
  readonly parent: number | null
  readonly role: Role
  readonly content: string
}

export type Drawn =
  | { readonly verb: 'append' | 'upsert'; readonly batch: readonly DrawnMessage[] }
  | { readonly verb: 'update'; readonly place: number; readonly content: string }
  | { readonly verb: 'delete'; readonly place: number }
  | { readonly verb: 'branch'; readonly place: number }
  | { readonly verb: 'clear'; readonly keepSystem: boolean }

/** A step with ids in the place of places. */
export type PlayedStep = Step | { readonly verb: 'branch'; readonly id: string }

const contents = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .map((text) => `x${text.replaceAll('\0', '')}`)
const place = fc.nat({ max: 1000 })
const message = (newest: number): fc.Arbitrary<DrawnMessage> =>
  fc.record({
    existing: fc.oneof({ weight: newest, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: place }),
    parent: fc.option(place),
    role: fc.constantFrom<Role>('system', 'user', 'assistant', 'tool'),
    content: contents,
  })
const batch = (newest: number) => fc.array(message(newest), { minLength: 1, maxLength: 4 })

export const series: fc.Arbitrary<Drawn[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ verb: fc.constant('append' as const), batch: batch(20) }) },
    { weight: 3, arbitrary: fc.record({ verb: fc.constant('upsert' as const), batch: batch(1) }) },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant('update' as const), place, content: contents }) },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant('delete' as const), place }) },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant('branch' as const), place }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('clear' as const), keepSystem: fc.boolean() }) },
  ),
  { minLength: 3, maxLength: 20 },
)

/** Puts ids in: mostly of what is there, now and then of nobody. */
export function settle(step: Drawn, model: ModelConversation, newId: () => string): PlayedStep {
  const held = model.messages.map((m) => m.id)
  const among = (all: readonly string[], at: number): string => all[at % all.length] ?? 'nobody'
  if (step.verb === 'clear') return step
  if (step.verb === 'update')
    return { verb: 'update', id: among([...held, 'nobody'], step.place), content: step.content }
  if (step.verb === 'delete' || step.verb === 'branch')
    return { verb: step.verb, id: among([...held, 'nobody'], step.place) }
  const made = new Map<string, NewMessage>()
  for (const { existing, parent, role, content } of step.batch) {
    const id = existing === null || held.length === 0 ? newId() : among(held, existing)
    const parents = [...held, ...made.keys(), ...held, ...made.keys(), 'nobody'].filter((other) => other !== id)
    if (!made.has(id)) made.set(id, { id, role, content, parentId: parent === null ? null : among(parents, parent) })
  }
  return { verb: step.verb, batch: [...made.values()] }
}
