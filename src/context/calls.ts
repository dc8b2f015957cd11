import type { LlmToolCall } from '../contract/context.js'
import type { JsonObject, JsonValue, Message } from '../model/records.js'

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isName = (value: JsonValue | undefined): value is string => typeof value === 'string' && value !== ''

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Arguments as JSON text. Text that is not JSON is a JSON string. */
const argumentsOf = (value: JsonValue | undefined): string =>
  typeof value === 'string' && isJson(value) ? value : JSON.stringify(value ?? {})

const made = (id: JsonValue | undefined, name: JsonValue | undefined, given: string): LlmToolCall | null =>
  isName(id) && isName(name) ? { id, type: 'function', function: { name, arguments: given } } : null

/** OpenAI's `function`, the AI SDK's `tool-call` and Anthropic's `tool_use`; null for any other part. */
function callOf(part: JsonValue): LlmToolCall | null {
  if (!isObject(part)) return null
  const { type, id, name, input } = part
  if (type === 'function' && isObject(part.function)) {
    const { name: called, arguments: given } = part.function
    // What the model wrote goes back as it wrote it, valid or not.
    return made(id, called, typeof given === 'string' ? given : argumentsOf(given))
  }
  if (type === 'tool-call') return made(part.toolCallId, part.toolName, argumentsOf(input ?? part.args))
  if (type === 'tool_use') return made(id, name, argumentsOf(input))
  return null
}

/** The calls that a message makes, in the order of its parts; one id once. */
export function callsOf({ role, parts }: Message): readonly LlmToolCall[] {
  if (role !== 'assistant' || !parts) return []
  const calls = new Map<string, LlmToolCall>()
  for (const part of parts) {
    const call = callOf(part)
    if (call && !calls.has(call.id)) calls.set(call.id, call)
  }
  return [...calls.values()]
}

export const isResult = ({ role }: Message): boolean => role === 'tool' || role === 'function'

/** What a tool answered, where it stands in a part: the AI SDK's `tool-result`, Anthropic's `tool_result`. */
function resultText(part: JsonObject): string {
  const value = part.output ?? part.result ?? part.content ?? ''
  // The AI SDK wraps the output: { type: 'text' | 'json' | …, value }.
  const inner = isObject(value) && typeof value.type === 'string' ? (value.value ?? value) : value
  return typeof inner === 'string' ? inner : JSON.stringify(inner)
}

function partText(part: JsonValue): string[] {
  if (!isObject(part)) return []
  if (part.type === 'text' && typeof part.text === 'string') return [part.text]
  return part.type === 'tool-result' || part.type === 'tool_result' ? [resultText(part)] : []
}

/**
 * The text of a message: its content, or where that is blank its text parts and tool results, one per line. Files,
 * images, audio and reasoning are skipped.
 */
export function textOf({ content, parts }: Message): string {
  return content.trim() !== '' || !parts ? content : parts.flatMap(partText).join('\n')
}
