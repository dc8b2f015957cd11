import type { JsonObject, JsonValue, MessageType } from '../model/records.js'
import { isObject, joined, textOf } from './values.js'

/** Something that a message of another program says, in its order. */
export type Segment =
  | { readonly kind: 'text'; readonly text: string; readonly part?: JsonObject | undefined }
  | { readonly kind: 'call'; readonly part: JsonObject }
  | { readonly kind: 'result'; readonly result: ToolResult }
  | { readonly kind: 'part'; readonly part: JsonObject; readonly type?: MessageType | undefined }

export interface ToolResult {
  readonly toolCallId: string
  readonly toolName: string | null
  readonly output: JsonValue
  /** What stands beside the output, such as that it is an error. */
  readonly more?: JsonObject | undefined
}

/** What a message is given for its segments. */
export interface Said {
  readonly type: MessageType
  readonly content: string
  readonly parts: readonly JsonValue[] | null
}

/** A tool's arguments: JSON where their text is JSON. */
export function inputOf(value: JsonValue | undefined): JsonValue {
  if (typeof value !== 'string') return value ?? {}
  try {
    return JSON.parse(value) as JsonValue
  } catch {
    return value
  }
}

export const callPart = (
  toolCallId: string,
  toolName: string,
  input: JsonValue,
  more: JsonObject = {},
): JsonObject => ({
  type: 'tool-call',
  toolCallId,
  toolName,
  input,
  ...more,
})

const MEDIA: readonly (readonly [name: RegExp, type: MessageType])[] = [
  [/image|screenshot/, 'image'],
  [/audio/, 'audio'],
  [/file|document|video/, 'file'],
]

/** A part that is neither text nor a tool's: a picture, a file, or one of a kind that is not known, as it stands. */
export function otherPart(part: JsonObject): Segment {
  const name = textOf(part.type) ?? 'unknown'
  const mime = textOf(part.mimeType ?? part.mediaType ?? null) ?? ''
  const type =
    MEDIA.find(([pattern]) => pattern.test(mime.split('/')[0] || name))?.[1] ?? MEDIA.find(([p]) => p.test(name))?.[1]
  return { kind: 'part', part: { type: type ?? name, data: part }, type }
}

/** An entry that is no object where objects are expected; null says nothing. */
export const strayPart = (data: JsonValue): Segment[] =>
  data === null ? [] : [{ kind: 'part', part: { type: 'unknown', data } }]

/** The words are the content; parts stand beside them where there is anything but plain words. */
export function saidOf(segments: readonly Segment[]): Said {
  const content = joined(segments.map((each) => (each.kind === 'text' ? each.text : '')))
  const plain = segments.every((each) => each.kind === 'text' && each.part === undefined)
  const parts = plain ? null : segments.flatMap(partOf)
  const media = segments.find((each) => each.kind === 'part' && each.type !== undefined)
  const type = content === '' && media?.kind === 'part' ? (media.type ?? 'text') : 'text'
  return { type, content, parts: parts && parts.length > 0 ? parts : null }
}

function partOf(segment: Segment): JsonValue[] {
  if (segment.kind === 'text') return segment.text === '' ? [] : [segment.part ?? { type: 'text', text: segment.text }]
  return segment.kind === 'result' ? [] : [segment.part]
}

/** A tool's answer as a message: its text is the content; a part stands beside it only for what the text lacks. */
export function answerOf({ toolCallId, toolName, output, more = {} }: ToolResult): Said {
  const isMedia =
    isObject(output) && typeof output.type === 'string' && MEDIA.some(([name]) => name.test(String(output.type)))
  const entries = Array.isArray(output) ? output.filter(isObject) : isMedia ? [output] : []
  const texts = entries.flatMap((part) => (typeof part.text === 'string' ? [part.text] : []))
  const isContent = entries.length > 0 && entries.every(({ type }) => typeof type === 'string')
  const content = typeof output === 'string' ? output : isContent ? joined(texts) : JSON.stringify(output)
  const lossless = typeof output === 'string' || !isContent
  const part = { type: 'tool-result', toolCallId, ...(toolName === null ? {} : { toolName }), ...more }
  if (content.trim() !== '' && lossless && Object.keys(more).length === 0) return { type: 'text', content, parts: null }
  return { type: 'text', content, parts: [lossless && content.trim() !== '' ? part : { ...part, output }] }
}
