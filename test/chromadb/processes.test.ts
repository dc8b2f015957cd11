import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { ChromaStore } from '../../src/backends/chromadb/store.js'
import { BINDING, end, eventually, freshFolder, serversOf, stateOf } from './local-ground.js'
import { pointOf, put, SPACE } from './points.js'

it('two processes write to one folder, whose server is killed under them: all that was acknowledged is there', {
  timeout: 60_000,
}, async () => {
  const persistDirectory = freshFolder()
  const options = { persistDirectory, chromaCommand: BINDING, callTimeout: 20_000 }
  const script = fileURLToPath(new URL('./store-user.ts', import.meta.url))
  const told = [JSON.stringify(options), JSON.stringify(SPACE), JSON.stringify(pointOf())]
  const other = spawn(process.execPath, ['--import', 'tsx', script, ...told], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void other.kill('SIGKILL'))
  const theirs: string[] = []
  createInterface({ input: other.stdout }).on('line', (key) => theirs.push(key))
  const store = new ChromaStore(options)
  onTestFinished(() => store.close())
  await store.open(SPACE, async () => 4)
  const ours: string[] = []
  for (let kills = 0; kills < 3; kills++) {
    const before = theirs.length
    for (let i = 0; i < 5; i++) {
      const point = pointOf()
      await store.tenant('a').write('memory', [put(point, { guard: 'absent' })])
      ours.push(point.key)
    }
    await eventually(() => theirs.length > before, 20_000)
    const { server } = stateOf(persistDirectory)
    if (server) end(-server.group)
  }
  await store.tenant('a').count('memory', [])
  end(other.pid as number)
  const all = [...ours, ...theirs]
  const found = await store.tenant('a').fetch('memory', all)
  expect(found).toHaveLength(all.length)
  expect(theirs.length).toBeGreaterThan(2)
  // One more than was told of may have been written.
  expect((await store.tenant('a').count('memory', [])) - all.length).toBeLessThan(2)
  expect(serversOf(persistDirectory)).toBe(1)
})
