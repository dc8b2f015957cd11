import type { UIMessage } from 'ai'
import type { NewMessage } from '../../model/inputs.js'
import type { JsonObject, JsonValue, Message, MessageStatus } from '../../model/records.js'

/** Stands where a message has no parts yet: one without words must have some. */
const NOTHING = { type: 'data-nothing' }

/** What JSON keeps of a value. */
const plain = <T>(value: T): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue

const textOf = ({ parts }: UIMessage): string =>
  parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')

/** A message of a chat as one of a conversation: its text can be searched, its parts are kept as they are. */
export function stored(message: UIMessage, status: MessageStatus): NewMessage & { readonly id: string } {
  const { id, role, parts, metadata } = message
  return {
    id,
    role,
    status,
    content: textOf(message),
    parts: parts.length > 0 ? (plain(parts) as JsonValue[]) : [NOTHING],
    metadata: (metadata === undefined ? {} : { ui: plain(metadata) }) as JsonObject,
  }
}

export function shown<M extends UIMessage>({ id, role, parts, metadata }: Message): M {
  const kept = ((parts ?? []) as unknown as M['parts']).filter(({ type }) => type !== NOTHING.type)
  return { id, role, parts: kept, ...('ui' in metadata && { metadata: metadata.ui }) } as unknown as M
}
