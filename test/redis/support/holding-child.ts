import { createBackend } from '../../../src/backend.js'

const [url, prefix] = process.argv.slice(2) as [string, string]
const memory = createBackend('redis', { url, prefix })
await memory.unitOfWork(async (unit) => {
  await unit.messages.append('c', { role: 'user', content: 'never committed' })
  process.send?.('held')
  await new Promise(() => setInterval(() => {}, 1000))
})
