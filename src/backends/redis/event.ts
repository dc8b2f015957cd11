import type { MemoryEvent } from '../../contract/events.js'

export type Told = readonly [type: string, key: string, count: string, at: string]

/** An event as the script wrote it. Null for something else, which a stranger may have published. */
export function readEvent(tenantId: string, id: string, told: Told): MemoryEvent | null {
  try {
    const [type, keyText, count, at] = told
    const key: unknown = JSON.parse(keyText)
    if (!Array.isArray(key) || !key.every((part) => typeof part === 'string')) return null
    return { id, type: type as MemoryEvent['type'], tenantId, key, count: Number(count), at: new Date(Number(at)) }
  } catch {
    return null
  }
}
