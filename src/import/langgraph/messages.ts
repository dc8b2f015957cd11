import { ValidationError } from '../../errors.js'
import type { NewMessage } from '../../model/inputs.js'
import { type JsonObject, type JsonValue, ROLES, type Role } from '../../model/records.js'
import { answerOf, callPart, inputOf, otherPart, type Segment, saidOf, strayPart } from '../parts.js'
import { isObject, objectOf, textOf, under, without } from '../values.js'

/** A message as LangChain writes it: the name of its class, and what it was made of. */
export interface Written {
  readonly name: string
  readonly kwargs: JsonObject
}

/** `{ lc: 1, type: 'constructor', id: […, 'HumanMessage'], kwargs }`, or a plain object such as `{ role, content }`. */
export function writtenOf(value: unknown): Written | null {
  if (!isObject(value)) return null
  if (value.type === 'constructor' && Array.isArray(value.id) && isObject(value.kwargs))
    return { name: textOf(value.id.at(-1) ?? null) ?? '', kwargs: value.kwargs }
  const name = textOf(value.role ?? null) ?? textOf(value.type ?? null)
  return name !== null && 'content' in value ? { name, kwargs: without(value, 'role', 'type') } : null
}

const CLASSES: Readonly<Record<string, Role>> = {
  human: 'user',
  user: 'user',
  ai: 'assistant',
  assistant: 'assistant',
  system: 'system',
  developer: 'system',
  tool: 'tool',
  function: 'function',
}

/** A message that only says that another one is to go. */
export const isRemoval = ({ name }: Written): boolean => /^remove(Message)?$/i.test(name)

function roleOf({ name, kwargs }: Written): Role {
  const short = name.replace(/Message(Chunk)?$/, '').toLowerCase()
  const role = short === 'chat' ? textOf(kwargs.role ?? null) : (CLASSES[short] ?? null)
  if (role !== null && ROLES.includes(role as Role)) return role as Role
  throw new ValidationError('id', 'is no class of messages that has a role here')
}

/** Calls of tools, which stand again in the content as some providers write it. */
const CALLS = ['tool_use', 'tool_call', 'tool_call_chunk', 'input_json_delta', 'functionCall', 'function_call']

function blockOf(block: JsonValue, hasCalls: boolean): Segment[] {
  if (typeof block === 'string') return [{ kind: 'text', text: block }]
  if (!isObject(block)) return strayPart(block)
  const type = textOf(block.type ?? null) ?? ''
  if (hasCalls && CALLS.includes(type)) return []
  if (type === 'text' || type === 'output_text') {
    const plain = Object.keys(without(block, 'type', 'text')).length === 0
    return [
      { kind: 'text', text: textOf(block.text ?? null) ?? '', part: plain ? undefined : { ...block, type: 'text' } },
    ]
  }
  if (type !== 'reasoning' && type !== 'thinking') return [otherPart(block)]
  const text = textOf(block.reasoning ?? block.thinking ?? block.text ?? null) ?? ''
  const rest = without(block, 'type', 'reasoning', 'thinking', 'text')
  return [{ kind: 'part', part: { type: 'reasoning', text, ...rest } }]
}

function callsOf(kwargs: JsonObject): Segment[] {
  const list = (value: JsonValue | undefined) => (Array.isArray(value) ? value.filter(isObject) : [])
  const all = [...list(kwargs.tool_calls), ...list(kwargs.invalid_tool_calls)]
  return all.map((call) => {
    const more = without(call, 'id', 'name', 'args', 'type')
    const name = textOf(call.name ?? null) ?? 'unknown'
    return { kind: 'call', part: callPart(textOf(call.id ?? null) ?? '', name, inputOf(call.args), more) }
  })
}

const KNOWN = ['id', 'content', 'name', 'role', 'tool_calls', 'invalid_tool_calls', 'tool_call_id', 'tool_call_chunks']

/** The model stands for itself; all else that LangChain keeps with a message, under one name. */
function metadataOf({ kwargs }: Written, isAnswer: boolean): JsonObject {
  const { model_name, model } = objectOf(kwargs.response_metadata)
  const named = textOf(model_name ?? null) ?? textOf(model ?? null)
  // Providers' own form of the calls that are parts already.
  const extra = without(objectOf(kwargs.additional_kwargs), ...(kwargs.tool_calls ? ['tool_calls'] : []))
  const rest = without(kwargs, ...KNOWN, 'additional_kwargs', ...(isAnswer ? ['status'] : []))
  return {
    ...(named ? { model: named } : {}),
    ...under('langgraph', { ...rest, ...under('additional_kwargs', extra) }),
  }
}

/** What a message of LangChain's becomes, but for its id and time. */
export function messageOf(written: Written): Omit<NewMessage, 'id'> {
  const { kwargs } = written
  const role = roleOf(written)
  const toolCallId = textOf(kwargs.tool_call_id ?? null)
  const about = { role, name: textOf(kwargs.name ?? null), metadata: metadataOf(written, role === 'tool') }
  if (role === 'tool' && toolCallId !== null) {
    const more = kwargs.status === 'error' ? { isError: true } : {}
    const result = { toolCallId, toolName: about.name, output: kwargs.content ?? '', more }
    return { ...about, toolCallId, ...answerOf(result) }
  }
  const calls = callsOf(kwargs)
  const content = kwargs.content ?? ''
  const blocks = Array.isArray(content) ? content : [content]
  return { ...about, ...saidOf([...blocks.flatMap((block) => blockOf(block, calls.length > 0)), ...calls]) }
}
