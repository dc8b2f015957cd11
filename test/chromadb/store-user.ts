// A process that writes through a store over a folder, without an end: node --import tsx store-user.ts OPTIONS SPACE
// Each key that was acknowledged is printed on a line of its own.
import { randomUUID } from 'node:crypto'
import { ChromaStore } from '../../src/backends/chromadb/store.js'
import type { Point, WantedSpace } from '../../src/backends/vector/store.js'

const [options = '', space = '', like = ''] = process.argv.slice(2)
const store = new ChromaStore(JSON.parse(options))
await store.open(JSON.parse(space) as WantedSpace, async () => 4)
for (;;) {
  const point = { ...(JSON.parse(like) as Point), key: randomUUID() }
  await store.tenant('a').write('memory', [{ point, vector: Float32Array.of(1, 0, 0, 0), guard: 'absent' }])
  console.log(point.key)
}
