import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

const WORDS =
  'the ferry to the island leaves at noon and the tide turns before we have eaten our bread with élégie 日本語 naïve plans for travel music food code memory'.split(
    ' ',
  )

/** A small deterministic generator: the same seed makes the same file. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function conversation(number: number, next: () => number): { text: string; messages: number } {
  const say = (words: number) => Array.from({ length: words }, () => WORDS[Math.floor(next() * WORDS.length)]).join(' ')
  const turns = 4 + Math.floor(next() * 56)
  const time = 1_700_000_000 + number * 977
  const id = (i: number) => `${number.toString(16).padStart(8, '0')}-0000-4000-8000-${i.toString(16).padStart(12, '0')}`
  const mapping: Record<string, unknown> = { [id(0)]: { id: id(0), message: null, parent: null, children: [id(1)] } }
  for (let i = 1; i <= turns; i++) {
    const asks = i % 2 === 1
    const message = {
      id: id(i),
      author: { role: asks ? 'user' : 'assistant', name: null, metadata: {} },
      create_time: time + i * 7.25,
      update_time: null,
      content: {
        content_type: 'text',
        parts: [say(asks ? 5 + Math.floor(next() * 55) : 40 + Math.floor(next() * 260))],
      },
      status: 'finished_successfully',
      end_turn: true,
      weight: 1,
      metadata: {
        model_slug: 'gpt-5',
        finish_details: { type: 'stop' },
        request_id: id(i),
        is_complete: true,
        citations: [],
      },
      recipient: 'all',
      channel: null,
    }
    mapping[id(i)] = { id: id(i), message, parent: id(i - 1), children: i < turns ? [id(i + 1)] : [] }
  }
  const times = { create_time: time, update_time: time + 500 }
  const whole = {
    title: say(4),
    ...times,
    mapping,
    current_node: id(turns),
    conversation_id: id(0xffff),
    id: id(0xffff),
  }
  return { text: JSON.stringify(whole), messages: turns }
}

/** Writes a ChatGPT export of about `megabytes`, and answers what it holds. */
export async function generateExport(
  path: string,
  megabytes: number,
): Promise<{ conversations: number; messages: number; bytes: number }> {
  const out = createWriteStream(path)
  const next = random(7)
  let bytes = 0
  let conversations = 0
  let messages = 0
  const write = (text: string): Promise<void> | void => {
    bytes += Buffer.byteLength(text)
    if (!out.write(text)) return new Promise((resolve) => out.once('drain', resolve))
  }
  await write('[')
  while (bytes < megabytes * 1_000_000) {
    const made = conversation(conversations, next)
    await write(`${conversations > 0 ? ', ' : ''}${made.text}`)
    conversations++
    messages += made.messages
  }
  await write(']')
  out.end()
  await finished(out)
  return { conversations, messages, bytes }
}
