import { expect } from 'vitest'
import type { ErrorCode } from '../../src/errors.js'
import type { NewMessage } from '../../src/model/inputs.js'
import type { Message } from '../../src/model/records.js'

export type Made = Pick<Message, 'id' | 'position' | 'role' | 'content' | 'parentId'>

/** A verb with what it is called with. */
export type Step =
  | { readonly verb: 'append' | 'upsert'; readonly batch: readonly NewMessage[] }
  | { readonly verb: 'update'; readonly id: string; readonly content: string }
  | { readonly verb: 'delete'; readonly id: string }
  | { readonly verb: 'clear'; readonly keepSystem: boolean }

/** What the verb should have answered: a refusal with one of these codes, or how many it deleted. */
interface Expected {
  readonly refused?: readonly ErrorCode[]
  readonly deleted?: number
}

/** One conversation as a plain list in the order of its positions. */
export class ModelConversation {
  messages: Made[] = []
  #highest = 0

  play(step: Step): Expected {
    switch (step.verb) {
      case 'append':
      case 'upsert':
        return this.#write(step.batch, step.verb === 'upsert')
      case 'clear':
        return this.#clear(step.keepSystem)
      case 'update':
        return this.#update(step.id, (found) => this.#replace({ ...found, content: step.content }))
      case 'delete':
        return this.#update(step.id, (found) => this.#remove((m) => m.id === found.id))
    }
  }

  /** The positions are the backend's to give: they must rise above all that were ever given. */
  place(answer: readonly Made[]): void {
    for (const { id, position } of answer) {
      const mine = this.messages.find((m) => m.id === id)
      if (!mine) expect.fail(`answered a message that was not given: ${id}`)
      if (mine.position > 0) {
        expect(position).toBe(mine.position)
        continue
      }
      expect(position).toBeGreaterThan(this.#highest)
      this.#highest = position
      this.#replace({ ...mine, position })
    }
  }

  upTo(id: string): Made[] | null {
    const end = this.messages.findIndex((m) => m.id === id)
    if (end < 0) return null
    const copied = this.messages.slice(0, end + 1)
    return copied.map((m) => ({ ...m, parentId: copied.some((p) => p.id === m.parentId) ? m.parentId : null }))
  }

  turns(): number {
    const talk = this.messages.filter((m) => m.role === 'user' || m.role === 'assistant')
    return talk.filter((m, i) => m.role === 'user' && talk[i + 1]?.role === 'assistant').length
  }

  #write(batch: readonly NewMessage[], replaces: boolean): Expected {
    const refused = new Set<ErrorCode>()
    const known = new Set(this.messages.map((m) => m.id))
    for (const { id = '', parentId } of batch) {
      if (!replaces && known.has(id)) refused.add('conflict')
      // An id that a refused batch would have made does not count, but the batch is refused either way.
      if (typeof parentId === 'string' && !known.has(parentId)) refused.add('validation')
      known.add(id)
    }
    if (refused.size > 0) return { refused: [...refused] }
    for (const { id = '', role, content = '', parentId = null } of batch) {
      const made = { id, role, content, parentId, position: 0 }
      const old = this.messages.find((m) => m.id === id)
      if (old) this.#replace({ ...made, position: old.position })
      else this.messages.push(made)
    }
    return {}
  }

  #update(id: string, change: (found: Made) => void): Expected {
    const found = this.messages.find((m) => m.id === id)
    if (!found) return { refused: ['not-found'] }
    change(found)
    return {}
  }

  #clear(keepSystem: boolean): Expected {
    const before = this.messages.length
    this.#remove((m) => !keepSystem || m.role !== 'system')
    return { deleted: before - this.messages.length }
  }

  #replace(made: Made): void {
    this.messages = this.messages.map((m) => (m.id === made.id ? made : m))
  }

  #remove(goes: (message: Made) => boolean): void {
    const kept = this.messages.filter((m) => !goes(m))
    const has = (id: string | null) => kept.some((m) => m.id === id)
    this.messages = kept.map((m) => (has(m.parentId) ? m : { ...m, parentId: null }))
  }
}
