import type { Page, PageOptions } from '../../src/contract/page.js'
import type { Repositories } from '../../src/contract/repositories.js'
import type { NewMessage } from '../../src/model/inputs.js'
import type { Message } from '../../src/model/records.js'

/** The user whom tests speak of where it does not matter who it is. */
export const ADA = 'ada'

export const says = (content: string, rest: Partial<NewMessage> = {}): NewMessage => ({
  role: 'user',
  content,
  ...rest,
})
export const answers = (content: string, rest: Partial<NewMessage> = {}): NewMessage => ({
  role: 'assistant',
  content,
  ...rest,
})
export const instructs = (content: string, rest: Partial<NewMessage> = {}): NewMessage => ({
  role: 'system',
  content,
  ...rest,
})

/** Appends, making the user and the conversation where they are absent. */
export function talk(
  memory: Pick<Repositories, 'messages'>,
  conversationId: string,
  messages: readonly (string | NewMessage)[],
  userId: string = ADA,
): Promise<Message[]> {
  const given = messages.map((message) => (typeof message === 'string' ? says(message) : message))
  return memory.messages.append(conversationId, given, { userId })
}

/** Numbered texts: `n1`, `n2`, … */
export const numbered = (count: number, prefix = 'n'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)

export const contentsOf = (records: readonly { readonly content: string }[]): string[] => records.map((r) => r.content)
export const idsOf = (records: readonly { readonly id: string }[]): string[] => records.map((r) => r.id)
export const positionsOf = (records: readonly Message[]): number[] => records.map((r) => r.position)

const MAX_ITEMS = 10_000

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) {
    if (all.push(item) > MAX_ITEMS) throw new Error('the iteration does not end')
  }
  return all
}

type List<T> = (options: PageOptions) => Promise<Page<T>>

/** More pages than any test has rows: a listing that goes round in circles fails instead of never ending. */
const MAX_PAGES = 200

/** Every page from `start` on, following `after`. */
export async function forward<T>(list: List<T>, start: Page<T>, limit: number): Promise<T[]> {
  const all = [...start.items]
  let page = start
  for (let pages = 1; page.hasMore && page.after !== null; pages++) {
    if (pages > MAX_PAGES) throw new Error('the listing does not end')
    page = await list({ after: page.after, limit })
    all.push(...page.items)
  }
  return all
}

/** Every page up to `start`, following `before`. */
export async function backward<T>(list: List<T>, start: Page<T>, limit: number): Promise<T[]> {
  let all = [...start.items]
  let page = start
  for (let pages = 1; page.hasMore && page.before !== null; pages++) {
    if (pages > MAX_PAGES) throw new Error('the listing does not end')
    page = await list({ before: page.before, limit })
    all = [...page.items, ...all]
  }
  return all
}

/** The order of ids in every backend: by their bytes in UTF-8, which is not that of UTF-16 units. */
export const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
