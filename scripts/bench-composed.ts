// `npm run bench:composed`: a primary with Qdrant and Redis behind it, against the same work without them, against bare
// clients and against its own parts, on the same servers, in the same run, in turn; beside what is asked of each. Names of
// parts choose some; `--quick` is shorter.
import { type Figure, type Ground, printFigures, startGround } from './bench/composed.js'
import { benchLag } from './bench/composed-lag.js'
import { benchCached, benchHybrid } from './bench/composed-reads.js'
import { benchModels, benchQdrant, benchRedis } from './bench/composed-settle.js'
import { benchUnits } from './bench/composed-units.js'

const PARTS: Readonly<Record<string, (ground: Ground, quick: boolean) => Promise<Figure[]>>> = {
  units: benchUnits,
  redis: benchRedis,
  qdrant: benchQdrant,
  lag: benchLag,
  models: benchModels,
  cached: benchCached,
  hybrid: benchHybrid,
}

const quick = process.argv.includes('--quick')
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = chosen.find((name) => !Object.hasOwn(PARTS, name))
if (unknown !== undefined) throw new Error(`${unknown} is no part: ${Object.keys(PARTS).join(', ')}`)

const ground = await startGround()
try {
  console.log(`Node ${process.version}, durability of both sides as it comes${quick ? ', quick run' : ''}\n`)
  const figures: Figure[] = []
  for (const [name, part] of Object.entries(PARTS))
    if (chosen.length === 0 || chosen.includes(name)) figures.push(...(await part(ground, quick)))
  printFigures(figures)
} finally {
  await ground.stop()
}
