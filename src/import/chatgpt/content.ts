import type { JsonObject, JsonValue, MessageType } from '../../model/records.js'
import { given, isObject, joined, textOf, without } from '../values.js'
import type { ExportedMessage } from './shape.js'

/** What a message says: the searchable text, and what stands beside it. */
export interface Said {
  readonly text: string
  readonly parts: readonly JsonValue[]
  readonly type: MessageType
}

const text = (value: JsonValue | undefined): string => textOf(value) ?? ''
const said = (words: string, parts: readonly JsonValue[] = [], type: MessageType = 'text'): Said => ({
  text: words,
  parts,
  type,
})

/** `image` of `image_asset_pointer`, and so on; other names stay as they are. */
const ASSETS: Readonly<Record<string, 'image' | 'audio' | 'file'>> = {
  image_asset_pointer: 'image',
  audio_asset_pointer: 'audio',
  real_time_user_audio_video_asset_pointer: 'audio',
  video_container_asset_pointer: 'file',
}

function multimodal(content: JsonObject): Said {
  const entries = Array.isArray(content.parts) ? content.parts : []
  const words: string[] = []
  const parts: JsonValue[] = []
  let type: MessageType = 'text'
  for (const entry of entries) {
    const name = isObject(entry) ? text(entry.content_type) : ''
    const spoken = typeof entry === 'string' ? entry : isObject(entry) ? text(entry.text) : ''
    if (spoken !== '') words.push(spoken)
    if (typeof entry === 'string') parts.push({ type: 'text', text: entry })
    else {
      const asset = ASSETS[name]
      if (asset) type = asset
      parts.push({ type: asset ?? (name || 'unknown'), data: entry })
    }
  }
  const plain = entries.every((entry) => typeof entry === 'string')
  return said(joined(words), plain ? [] : parts, joined(words) === '' ? type : 'text')
}

function thoughts(content: JsonObject): Said {
  const list = Array.isArray(content.thoughts) ? content.thoughts : []
  const parts = list.filter(isObject).map((thought) => ({
    type: 'reasoning',
    text: text(thought.content),
    ...without(thought, 'content', 'chunks', 'finished'),
  }))
  return said('', parts)
}

const quoted = (content: JsonObject): Said =>
  said(joined([text(content.title), text(content.text)]), [
    { type: 'source', data: without(content, 'content_type', 'text') },
  ])

const browsed = (content: JsonObject): Said => {
  const rest = without(content, 'content_type', 'result')
  return said(text(content.result), Object.keys(rest).length > 0 ? [{ type: 'browsing', data: rest }] : [])
}

const KNOWN: Readonly<Record<string, (content: JsonObject) => Said>> = {
  text: multimodal,
  multimodal_text: multimodal,
  code: (content) => said(text(content.text)),
  execution_output: (content) => said(text(content.text)),
  thoughts,
  reasoning_recap: (content) =>
    said('', given(content.content) ? [{ type: 'reasoning', text: text(content.content) }] : []),
  tether_quote: quoted,
  tether_browsing_display: browsed,
  system_error: (content) => said(text(content.text), [{ type: 'error', name: text(content.name) }]),
}

/** A kind of content that is not known: its text as far as it has one, and all of it as it stands. */
function unknown(content: JsonObject): Said {
  const strings = Array.isArray(content.parts) ? content.parts.filter((part) => typeof part === 'string') : []
  const words = joined([text(content.text), text(content.result), ...strings])
  const name = text(content.content_type) || 'unknown'
  return said(words, given(without(content, 'content_type')) ? [{ type: name, data: content }] : [])
}

const inputOf = (content: JsonObject, words: string): JsonValue => {
  if (!words.trimStart().startsWith('{')) return words
  try {
    // The arguments of a tool, as most of them take them.
    return JSON.parse(words) as JsonValue
  } catch {
    return text(content.text) || words
  }
}

/** What a message says. A call of a tool and a tool's answer carry a part that names the tool and the call. */
export function sayingOf(message: ExportedMessage, callId: string | null): Said {
  const { content, recipient } = message
  const found =
    (Object.hasOwn(KNOWN, message.contentType) ? KNOWN[message.contentType] : undefined)?.(content) ?? unknown(content)
  if (recipient !== null && message.role === 'assistant') {
    const language = given(content.language) && content.language !== 'unknown' ? { language: content.language } : {}
    const call = {
      type: 'tool-call',
      toolCallId: message.id,
      name: recipient,
      ...language,
      input: inputOf(content, found.text),
    }
    return { ...found, parts: [call, ...found.parts] }
  }
  // The answer's text is the message's content: it is not repeated in the part.
  if (message.role === 'tool')
    return { ...found, parts: [{ type: 'tool-result', toolCallId: callId, name: message.authorName }, ...found.parts] }
  return found
}
