// Moves memories while eight writers in two processes append, change and delete: what was acknowledged must be there in the
// end, and nothing else. `npm run torture transfer-online`; CUTOVERS by the environment.
import { setTimeout as sleep } from 'node:timers/promises'
import { transferOnline } from '../../src/index.js'
import { startServers } from '../ground/index.js'
import { freshEnd } from '../transfer/support/ends.js'
import { contentOf, differencesOf, fill, until, writers } from '../transfer/support/writing.js'

const PAIRS = [
  ['sqlite', 'postgresql'],
  ['postgresql', 'postgresql'],
  ['postgresql', 'sqlite'],
  ['sqlite', 'sqlite'],
] as const

const cutovers = Number(process.env.CUTOVERS ?? 20)
const running = await startServers()
const servers = running.urls
const pauses: number[] = []
const waits: number[] = []
let wrong = 0
try {
  for (let n = 0; n < cutovers; n++) {
    const [source, sink] = PAIRS[n % PAIRS.length] as (typeof PAIRS)[number]
    const [from, to] = [await freshEnd(source, servers), await freshEnd(sink, servers)]
    await fill(from.url)
    const all = ['a', 'b'].map((name) => writers(from.url, to.url, name, 4))
    await until(() => all.every(({ took }) => took.length > 50))
    const { online, verified } = await transferOnline({ from: { url: from.url }, to: { url: to.url } })
    await sleep(500)
    await Promise.all(all.map(({ end }) => end()))
    const { lost, risen } = differencesOf(await contentOf(to.url), all)
    const failed = all.flatMap((each) => each.failed)
    const longest = Math.max(...all.flatMap(({ took }) => took))
    const writes = all.reduce((sum, { took }) => sum + took.length, 0)
    const fine = lost.length + risen.length + failed.length === 0 && online.moved && verified?.equal === true
    if (!fine) wrong++
    pauses.push(online.pause)
    waits.push(longest)
    console.log(
      `  ${source} → ${sink}`.padEnd(30) +
        `${writes} writes, ${online.applied} brought over, ${lost.length} lost, ${risen.length} risen, ${failed.length} failed; ` +
        `pause ${Math.round(online.pause)} ms at attempt ${online.attempts}, longest write ${Math.round(longest)} ms`,
    )
    await from.remove()
    await to.remove()
  }
} finally {
  await running.stop()
}
const p99 = (values: number[]): number => Math.round(values.sort((a, b) => a - b).at(-1) ?? 0)
console.log(`${cutovers} moves, ${wrong} wrong; longest pause ${p99(pauses)} ms, longest write ${p99(waits)} ms`)
if (wrong > 0) process.exitCode = 1
