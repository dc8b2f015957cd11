import type { JsonObject } from '../../model/records.js'
import { isObject, objectOf, textOf } from '../values.js'

/** A message of an export, as far as it is understood; everything may be missing. */
export interface ExportedMessage {
  readonly id: string
  readonly role: string
  readonly authorName: string | null
  readonly contentType: string
  readonly content: JsonObject
  /** Null: nobody in particular. Otherwise the tool that is called. */
  readonly recipient: string | null
  readonly createdAt: Date | null
  readonly hidden: boolean
  readonly raw: JsonObject
}

/** A node of the tree. `parent` is null for a root and for a node whose parent is not in the tree. */
export interface Node {
  readonly id: string
  readonly parent: string | null
  readonly children: readonly string[]
  readonly message: ExportedMessage | null
}

const LAST_SECOND = 253_402_300_799
/** Seconds with fractions, as the export gives them. Zero and what is no time of the calendar count as missing. */
export const timeOf = (value: unknown): Date | null =>
  typeof value === 'number' && value > 0 && value <= LAST_SECOND ? new Date(Math.round(value * 1000)) : null

function messageOf(nodeId: string, value: unknown): ExportedMessage | null {
  if (!isObject(value)) return null
  const author = objectOf(value.author)
  const content = objectOf(value.content)
  const recipient = textOf(value.recipient)
  return {
    id: textOf(value.id) || nodeId,
    role: textOf(author.role) ?? '',
    authorName: textOf(author.name) || null,
    contentType: textOf(content.content_type) ?? '',
    content,
    recipient: recipient === null || recipient === '' || recipient === 'all' ? null : recipient,
    createdAt: timeOf(value.create_time),
    hidden: objectOf(value.metadata).is_visually_hidden_from_conversation === true,
    raw: value,
  }
}

/** The nodes of a conversation's `mapping`, by id, in their order in the file. */
export function nodesOf(mapping: JsonObject): Map<string, Node> {
  const nodes = new Map<string, Node>()
  for (const [id, value] of Object.entries(mapping)) {
    if (!isObject(value)) continue
    const parent = textOf(value.parent)
    nodes.set(id, {
      id,
      parent: parent !== null && parent !== id && Object.hasOwn(mapping, parent) ? parent : null,
      children: Array.isArray(value.children) ? value.children.filter((c) => typeof c === 'string') : [],
      message: messageOf(id, value.message),
    })
  }
  return nodes
}
