import type { JsonObject, JsonValue, Message } from '../model/records.js'

/** A call of a tool, as the part of a message says it. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON. */
  readonly arguments: string
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const json = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : JSON.stringify(value ?? {}))

/** OpenAI's `function`, the AI SDK's `tool-call` and Anthropic's `tool_use`; null for any other part. */
function callOf(part: JsonValue): ToolCall | null {
  if (!isObject(part)) return null
  const { type, id, toolCallId, name, toolName, input, args } = part
  if (type === 'function' && isObject(part.function) && typeof id === 'string') {
    const { name: called, arguments: given } = part.function
    return typeof called === 'string' ? { id, name: called, arguments: json(given) } : null
  }
  if (type === 'tool-call' && typeof toolCallId === 'string' && typeof toolName === 'string')
    return { id: toolCallId, name: toolName, arguments: json(input ?? args) }
  if (type === 'tool_use' && typeof id === 'string' && typeof name === 'string')
    return { id, name, arguments: json(input) }
  return null
}

/** The calls that a message makes, in the order of its parts; one id once. */
export function callsOf(message: Message): readonly ToolCall[] {
  if (message.role !== 'assistant' || !message.parts) return []
  const calls = new Map<string, ToolCall>()
  for (const part of message.parts) {
    const call = callOf(part)
    if (call && !calls.has(call.id)) calls.set(call.id, call)
  }
  return [...calls.values()]
}

/** The call that a message answers, or null. */
export const answerOf = ({ role, toolCallId }: Message): string | null =>
  role === 'tool' || role === 'function' ? (toolCallId ?? '') : null

/** The text of a message: its content, or the text parts where it has none. Files, images and reasoning are left out. */
export function textOf({ content, parts }: Message): string {
  if (content.trim() !== '' || !parts) return content
  return parts
    .flatMap((part) => (isObject(part) && part.type === 'text' && typeof part.text === 'string' ? [part.text] : []))
    .join('\n')
}
