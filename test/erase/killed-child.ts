/** A process that erases a user in the smallest steps, and is killed after some of them. */
import { createBackend } from '../../src/backend.js'

const [url = '', steps = '1'] = process.argv.slice(2)
const memory = createBackend(url)
let left = Number(steps)
await memory.erase(
  { tenantId: 'acme', userId: 'ada' },
  {
    batch: 1,
    onProgress: () => {
      if (--left === 0) process.kill(process.pid, 'SIGKILL')
    },
  },
)
await memory.close()
