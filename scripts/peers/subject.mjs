// One subject through all checks: `node subject.mjs <name> <url of a Qdrant of its own>`, an answer a line.
// `node subject.mjs <name> <url> <json>` saves one message, to be killed at it.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHECKS } from './checks.mjs'
import { emptyQdrant, proxyOf, vectorsIn } from './qdrant.mjs'
import { SUBJECTS } from './subjects.mjs'

const [name, url, child] = process.argv.slice(2)
const open = await SUBJECTS[name].open()
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

class Ground {
  constructor(folder, proxy) {
    this.folder = folder
    this.proxy = proxy
    this.opened = []
  }
  async open(more = {}) {
    const memory = await open({ folder: this.folder, qdrant: this.proxy.url, ...more })
    this.opened.push(memory)
    return memory
  }
  vectors(memory) {
    return memory.vectors && !memory.vectorsInQdrant ? memory.vectors() : vectorsIn(url, memory.collections)
  }
  async downFor(ms, work) {
    this.proxy.state.down = true
    const answer = work()
    await Promise.all([answer, sleep(ms)])
    this.proxy.state.down = false
    return answer
  }
  /** Another process saves a message, and is killed at the first write of a vector. */
  async killed(message) {
    const told = JSON.stringify({ folder: this.folder, qdrant: this.proxy.url, message })
    const process_ = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), name, url, told], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    process_.stdout.on('data', (data) => {
      said += data
    })
    this.proxy.state.onWrite = () => process_.kill('SIGKILL')
    const signal = await new Promise((resolve) => process_.on('exit', (_, signal) => resolve(signal)))
    Object.assign(this.proxy.state, { down: false, onWrite: null })
    const answered = said.includes('saved') ? 'the save was acknowledged' : 'the save was not acknowledged'
    return signal === 'SIGKILL' ? answered : `${answered}, and nobody was killed`
  }
  async close() {
    for (const memory of this.opened) await memory.close().catch(() => undefined)
    this.proxy.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

if (child) {
  const { folder, qdrant, message } = JSON.parse(child)
  const memory = await open({ folder, qdrant, dieAtVector: true })
  await memory.save({ ...message, at: new Date(message.at) })
  process.stdout.write('saved\n')
  await sleep(10_000)
  process.exit(0)
}

for (const [check, run] of Object.entries(CHECKS)) {
  await emptyQdrant(url)
  const ground = new Ground(mkdtempSync(join(tmpdir(), 'peers-')), await proxyOf(url))
  const result = await run(ground).catch((error) => ({
    ok: null,
    seen: `${error.name}: ${error.message}`.slice(0, 200),
  }))
  process.stdout.write(`${JSON.stringify({ check, ...result })}\n`)
  await ground.close()
}
process.exit(0)
