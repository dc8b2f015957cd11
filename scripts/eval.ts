// `npm run eval`: how often a search finds what answers a question, on long conversations with known evidence (LoCoMo).
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createBackend, type Memory, type SearchMode } from '../src/index.js'
import { startPostgresql } from '../test/ground/postgresql.js'
import { bars } from './eval/picture.js'

interface Turn {
  readonly id: string
  readonly speaker: string
  readonly text: string
  readonly caption?: string
}
interface Conversation {
  readonly id: string
  readonly speakers: readonly string[]
  readonly sessions: readonly { readonly turns: readonly Turn[] }[]
  readonly questions: readonly {
    readonly question: string
    readonly category: number
    readonly evidence?: readonly string[]
  }[]
}

const here = dirname(fileURLToPath(import.meta.url))
const CUTS = [5, 10, 20]
const MODES: readonly SearchMode[] = ['text', 'vector', 'hybrid']
const CATEGORIES: Readonly<Record<number, string>> = {
  1: 'multi-hop',
  2: 'temporal',
  3: 'open domain',
  4: 'single-hop',
}

/** The data file: an argument, or beside the project, where it is kept. */
function dataFile(): string {
  const given = process.argv.find((arg) => arg.endsWith('.json'))
  const found = [given, join(here, '../../shared/data/locomo-dev.json')].find((path) => path && existsSync(path))
  if (found) return found
  throw new Error('name the data: npm run eval -- path/to/locomo.json (from github.com/snap-research/locomo)')
}

async function fill(memory: Memory, conversations: readonly Conversation[]): Promise<void> {
  for (const { id, speakers, sessions } of conversations) {
    const messages = sessions.flatMap(({ turns }) =>
      turns.map((turn) => ({
        id: turn.id,
        role: turn.speaker === speakers[0] ? ('user' as const) : ('assistant' as const),
        name: turn.speaker,
        content: turn.caption ? `${turn.text} [${turn.caption}]` : turn.text,
      })),
    )
    await memory.messages.append(id, messages, { userId: speakers[0] as string })
  }
}

interface Score {
  readonly category: number
  readonly recall: readonly number[]
  readonly ms: number
}

/** Recall of the evidence within each question's conversation; questions without an answer (category 5) are left out. */
async function ask(memory: Memory, conversations: readonly Conversation[], mode: SearchMode): Promise<Score[]> {
  const scores: Score[] = []
  for (const { id, questions } of conversations)
    for (const { question, category, evidence = [] } of questions) {
      if (category === 5 || evidence.length === 0) continue
      const started = performance.now()
      const hits = await memory.search({
        text: question,
        mode,
        conversationId: id,
        kinds: ['message'],
        limit: Math.max(...CUTS),
      })
      const ms = performance.now() - started
      const ids = hits.map((hit) => hit.record.id)
      const recall = CUTS.map((cut) => {
        const first = new Set(ids.slice(0, cut))
        return evidence.filter((each) => first.has(each)).length / evidence.length
      })
      scores.push({ category, recall, ms })
    }
  return scores
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length)
const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * p)] ?? 0
const percent = (value: number): string => value.toFixed(3)

function table(results: Readonly<Record<string, readonly Score[]>>): void {
  console.log(`| mode | questions | ${CUTS.map((cut) => `recall@${cut}`).join(' | ')} | ms p50 | ms p95 |`)
  console.log(`| --- | --- | ${CUTS.map(() => '---:').join(' | ')} | ---: | ---: |`)
  for (const [mode, scores] of Object.entries(results)) {
    const times = scores.map(({ ms }) => ms)
    const row = (name: string, of: readonly Score[], end: string) =>
      console.log(
        `| ${mode} | ${name} (${of.length}) | ${CUTS.map((_, i) => percent(mean(of.map((s) => s.recall[i] as number)))).join(' | ')} | ${end} |`,
      )
    row('all', scores, `${percentile(times, 0.5).toFixed(1)} | ${percentile(times, 0.95).toFixed(1)}`)
    for (const [category, name] of Object.entries(CATEGORIES))
      row(
        name,
        scores.filter((s) => s.category === Number(category)),
        ' | ',
      )
  }
}

const conversations = JSON.parse(readFileSync(dataFile(), 'utf8')) as Conversation[]
const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-eval-'))
// `--postgresql`: on a server of its own, by text alone.
const server = process.argv.includes('--postgresql') ? await startPostgresql({ own: true }) : null
const modes: readonly SearchMode[] = server ? ['text'] : MODES
const memory = server
  ? createBackend('postgresql', { connectionString: server.url })
  : createBackend('sqlite', { databasePath: join(folder, 'memory.db'), embeddingFunction: 'offline' })
try {
  await fill(memory, conversations)
  const started = performance.now()
  await memory.settle({ deadline: 600_000 })
  const { messages } = await memory.statistics()
  console.log(`${messages} messages, settled in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  const results: Record<string, Score[]> = {}
  for (const mode of modes) results[mode] = await ask(memory, conversations, mode)
  table(results)
  const picture = join(here, '../build/eval.svg')
  mkdirSync(dirname(picture), { recursive: true })
  const groups = ['all', ...Object.values(CATEGORIES)]
  const of = (mode: string, i: number) =>
    (results[mode] as Score[])
      .filter((s) => i === 0 || CATEGORIES[s.category] === groups[i])
      .map((s) => s.recall[1] as number)
  const series = modes.map((mode) => ({ name: mode, values: groups.map((_, i) => mean(of(mode, i))) }))
  writeFileSync(picture, bars({ title: 'Evidence recall@10 by kind of question', groups, series }))
  console.log(`\npicture: ${relative(process.cwd(), picture)}`)
} finally {
  await memory.close()
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
}
