// A process that moves a memory in use, and is killed at a step: FROM TO STEP.
import { transferOnline } from '../../../src/index.js'

const [from = '', to = '', step = ''] = process.argv.slice(2)
await transferOnline({
  from: { url: from },
  to: { url: to },
  limits: { records: 100 },
  onProgress: ({ phase }) => {
    if (phase === step) process.kill(process.pid, 'SIGKILL')
  },
})
