import { type Command, Option } from 'commander'
import type { TenantMemory } from '../contract/memory.js'
import type { Hit, SearchMode } from '../contract/search.js'
import { checkId } from '../model/parse.js'
import { SEARCH_KINDS, type SearchKind } from '../model/records.js'
import { type Analyzer, createAnalyzer } from '../search/analyzer.js'
import { printable } from './format.js'
import { type CliIo, line, printJson } from './io.js'
import { embeddingsOf, embeddingsOption, findStore, languageOf, storeOptions, wholeNumber, withMemory } from './open.js'
import { snippet } from './snippet.js'

interface Options {
  readonly url?: string
  readonly language?: string
  readonly tenant: string
  readonly user?: string
  readonly conversation?: string
  readonly kind?: SearchKind[]
  readonly limit: string
  readonly mode?: SearchMode
  readonly embeddings?: string
  readonly explain?: true
  readonly json?: true
}

export function register(program: Command, io: CliIo): void {
  const command = program
    .command('search')
    .summary('find what was said')
    .description('Finds messages, memories and documents by their words, by what they mean, or by both, best first.')
    .argument('<text...>', 'what to look for: any text, taken as words')
  embeddingsOption(storeOptions(command))
    .addOption(
      new Option(
        '--mode <mode>',
        'by words, by meaning, or by both; the last two need vectors (default: text; vector where no words are found)',
      ).choices(['text', 'vector', 'hybrid']),
    )
    .option('--tenant <id>', 'the tenant', 'default')
    .option('--user <id>', 'only of this user')
    .option('--conversation <id>', 'only in this conversation')
    .addOption(new Option('--kind <kind...>', 'only of these kinds').choices(SEARCH_KINDS))
    .option('--limit <n>', 'at most this many', '10')
    .option('--explain', 'show where each score comes from')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  bruno-memory search "ferry to the island" --user ada --limit 3\n  bruno-memory search "a boat trip" --mode hybrid --embeddings offline --explain',
    )
    .action((words: string[], options: Options) => search(words.join(' '), options, io))
}

async function search(text: string, options: Options, io: CliIo): Promise<void> {
  const limit = wholeNumber(options.limit, '--limit', 1, 1000)
  const { tenant, user, conversation, kind } = options
  for (const [id, name] of [
    [tenant, '--tenant'],
    [user, '--user'],
    [conversation, '--conversation'],
  ] as const)
    if (id !== undefined) checkId(id, name)
  const store = findStore(options, io)
  const byWords = options.mode === 'text' || (options.mode === undefined && store.upkeep !== null)
  const embeddings = byWords ? undefined : embeddingsOf(options, io)
  await withMemory(store, { ...options, ...(embeddings && { embeddings }) }, async (memory) => {
    const scope = memory.forTenant(tenant)
    const started = performance.now()
    const hits = await scope.search({
      text,
      userId: user,
      conversationId: conversation,
      kinds: kind,
      limit,
      mode: options.mode,
      explain: true,
    })
    const ms = performance.now() - started
    if (options.json)
      printJson(io, {
        text,
        milliseconds: ms,
        hits: options.explain ? hits : hits.map(({ explain: _, ...hit }) => hit),
      })
    else await print(io, await languageOf(store, options), scope, hits, ms, options)
  })
  // A search that finds nothing has worked.
  io.setExitCode(0)
}

const BOLD = ['\u001b[1m', '\u001b[22m'] as const
const DIM = ['\u001b[2m', '\u001b[22m'] as const

async function print(
  io: CliIo,
  language: string,
  scope: TenantMemory,
  hits: readonly Hit[],
  ms: number,
  options: Options,
): Promise<void> {
  const colours = io.stdout.isTTY === true && !io.env.NO_COLOR && io.env.TERM !== 'dumb'
  const style = ([on, off]: readonly [string, string], text: string) => (colours ? `${on}${text}${off}` : text)
  const analyzer = await createAnalyzer(language)
  const titles = new Titles(scope)
  for (const hit of hits) {
    const place = await placeOf(hit, titles)
    line(io.stdout, `${hit.score.toFixed(3)}  ${style(DIM, place)}`)
    line(io.stdout, `       ${shown(hit, analyzer, (word) => style(BOLD, word))}`)
    if (options.explain) line(io.stdout, `       ${style(DIM, explained(hit))}`)
  }
  line(io.stderr, `${hits.length === 0 ? 'nothing found' : `${hits.length} found`} in ${ms.toFixed(1)} ms`)
}

const shown = ({ record, explain }: Hit, analyzer: Analyzer, mark: (word: string) => string): string =>
  snippet(record.content, explain?.terms ?? [], analyzer, { width: 160, mark })

const where = (distance: number | null): string =>
  distance === null
    ? ' in the title'
    : distance === 0
      ? ''
      : ` ${Math.abs(distance)} ${distance < 0 ? 'before' : 'after'}`

function explained({ explain }: Hit): string {
  if (!explain) return ''
  const { text, vector, fusion } = explain
  const words = text?.terms.map(({ term, part, distance }) => `${term}${where(distance)} ${part.toFixed(2)}`)
  return printable(
    [
      `bm25 ${explain.bm25.toFixed(3)} for ${words ? words.join(', ') : explain.terms.join(', ')}`,
      vector && `similarity ${vector.similarity.toFixed(3)}, with neighbours ${vector.score.toFixed(3)}`,
      fusion && `text ${fusion.text.toFixed(2)} + vector ${fusion.vector.toFixed(2)}`,
    ]
      .filter((part) => part)
      .join('; '),
  )
}

const day = (date: Date): string => date.toISOString().slice(0, 16).replace('T', ' ')

async function placeOf(hit: Hit, titles: Titles): Promise<string> {
  const { record } = hit
  const when = day(record.createdAt)
  if (hit.kind === 'message')
    return printable(`${hit.record.role}, ${when}, ${await titles.of(hit.record.conversationId)}, message ${record.id}`)
  if (hit.kind === 'memory')
    return printable(`memory (${hit.record.type}), ${when}, of ${hit.record.userId}, ${record.id}`)
  return printable(`document, ${when}, ${hit.record.namespace}/${record.id}`)
}

/** Titles of the conversations that hits are in, each asked for once. */
class Titles {
  readonly #known = new Map<string, string>()
  constructor(readonly scope: TenantMemory) {}

  async of(id: string): Promise<string> {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const title = (await this.scope.conversations.get(id))?.title
    const text = title ? `"${title}" (${id})` : `conversation ${id}`
    this.#known.set(id, text)
    return text
  }
}
