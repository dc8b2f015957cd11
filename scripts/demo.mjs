// `npm run demo`: from a fresh clone to a filled and searched memory on the embedded default.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { performance } from 'node:perf_hooks'
import { build, install, root } from './lib.mjs'

install()
build()
const { createBackend } = await import('../dist/index.mjs')

const folder = join(root, '.demo')
const file = join(folder, 'memory.db')
const sample = join(root, 'examples', 'sample')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)

const bold = (text) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text)
const heading = (text) => console.log(`\n${bold(text)}`)
const here = (path) => relative(process.cwd(), path) || '.'

function command(...args) {
  console.log(`\n$ npx bruno-memory ${args.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg)).join(' ')}`)
  const { status } = spawnSync(process.execPath, [join(root, 'dist', 'cli.mjs'), ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

heading('Two people, months of talk: imported into an embedded file')
const url = `sqlite:${here(file)}`
command('import', here(join(sample, 'conversations.json')), '--user', 'ada', '--url', url)
command('import', here(join(sample, 'messages.jsonl')), '--url', url)

const memory = createBackend('sqlite', { databasePath: file })
await memory.connect()

heading('Read back: the newest conversation of each')
for (const userId of ['ada', 'bruno']) {
  const { items } = await memory.conversations.list({ userId, limit: 1 })
  const [conversation] = items
  const started = performance.now()
  const { items: messages } = await memory.messages.list(conversation.id, { last: 50 })
  const took = performance.now() - started
  console.log(
    `\n${userId} · ${conversation.title ?? conversation.id} · ${messages.length} messages in ${took.toFixed(2)} ms`,
  )
  for (const message of messages.slice(-3)) console.log(`  ${message.role.padEnd(9)} ${short(message.content, 100)}`)
}

heading('Searched as text')
const questions = JSON.parse(readFileSync(join(sample, 'questions.json'), 'utf8'))
let found = 0
const times = []
for (const { user, question, evidence } of questions) {
  const started = performance.now()
  const hits = await memory.search({ text: question, kinds: ['message'], userId: user, limit: 5 })
  const took = performance.now() - started
  times.push(took)
  const at = hits.findIndex(({ record }) => evidence.includes(`${record.conversationId}/${record.id}`))
  if (at >= 0) found++
  console.log(`\n${user} asks: ${question}`)
  console.log(`  ${hits.length} hits in ${took.toFixed(2)} ms${at >= 0 ? `, the answer is number ${at + 1}` : ''}`)
  const shown = hits[Math.max(at, 0)]
  if (shown) console.log(`  ${shown.score.toFixed(2)}  ${short(shown.record.content, 110)}`)
}
times.sort((a, b) => a - b)
console.log(
  `\n${found} of ${questions.length} questions have their answer among the first 5; median ${times[times.length >> 1].toFixed(2)} ms`,
)

heading('By meaning: the vectors are made in the background, by a model that needs no network')
const meant = createBackend('sqlite', { databasePath: file, embeddingFunction: 'offline' })
const begun = performance.now()
await meant.settle({ deadline: 120_000 })
console.log(`\nEvery text has a vector after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
for (const [mode, text] of [
  ['vector', 'Is the cat ill, and with what?'],
  ['hybrid', 'Is the cat ill, and with what?'],
]) {
  const started = performance.now()
  const hits = await meant.search({ text, mode, kinds: ['message'], limit: 3 })
  console.log(`\n${mode}: ${text}  (${(performance.now() - started).toFixed(1)} ms)`)
  for (const { score, record } of hits) console.log(`  ${score.toFixed(2)}  ${short(record.content, 110)}`)
}

heading('What a model should be told, within 400 tokens')
await meant.memories.add({
  userId: 'ada',
  type: 'fact',
  content: 'is allergic to walnuts',
  importance: 0.9,
  tags: ['health'],
})
const { items: newestOfAda } = await meant.conversations.list({ userId: 'ada', limit: 1 })
const context = await meant.context({ userId: 'ada', conversationId: newestOfAda[0].id, maxTokens: 400 })
console.log(`\n${context.tokens} tokens: ${context.messages.length} messages, ${context.memories.length} memories`)
for (const { role, content } of context.toLLM()) console.log(`  ${role.padEnd(9)} ${short(content, 100)}`)
await meant.memories.delete(context.memories[0].id)
await meant.close()

heading('One unit of work: all of it or nothing')
await memory
  .unitOfWork(async (unit) => {
    await unit.memories.add({
      userId: 'ada',
      type: 'fact',
      content: 'plays the cello',
      importance: 0.8,
      tags: ['music'],
    })
    throw new Error('the network went away')
  })
  .catch((error) => console.log(`  rolled back: ${error.message}`))
console.log(`  memories afterwards: ${(await memory.statistics()).memories}`)
await memory.close()

command('stats', '--url', url)
heading('What to type next')
console.log(`
  npx bruno-memory search "allergic" --user ada --url ${url}
  npx bruno-memory search "pets at home" --mode hybrid --embeddings offline --explain --url ${url}
  npx bruno-memory context --user ada --text "what to cook" --max-tokens 500 --url ${url}
  npx bruno-memory export memory.archive.gz --url ${url}
  npx bruno-memory doctor --url ${url}
  node dist/cli.mjs --help            the same command line, without npx
`)

function short(text, length) {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`
}
