// Stands between the tests and one server: makes its folder, starts it, passes signals on, and, when the process that
// asked for all this is gone, however it went, ends the server and removes the folder. Plain JavaScript, because it must
// start without a loader; a process of its own, because nobody can tidy up after being killed.
import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const ORPHAN_GRACE_MS = 5_000

const folder = mkdtempSync(process.argv[2])
const log = openSync(join(folder, 'server.log'), 'a')
let server
let orphanSignal = 'SIGKILL'
let orphaned = false

process.on('message', ({ run, signal }) => {
  if (run !== undefined) start(run)
  else server?.kill(signal)
})
process.once('disconnect', orphan)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, orphan)
// The other side may have died before this line could listen for it.
if (process.connected) tell({ folder })
else orphan()

function start(plan) {
  orphanSignal = plan.orphanSignal
  server = spawn(plan.program, plan.args, { cwd: folder, env: plan.env, stdio: ['ignore', log, log], ...plan.user })
  server.once('spawn', () => tell({ pid: server.pid }))
  server.once('error', (error) => tell({ error: error.message }))
  server.once('exit', (code) => {
    server = undefined
    if (orphaned) leave()
    else tell({ exited: code ?? 1 })
  })
}

function orphan() {
  if (orphaned) return
  orphaned = true
  if (server?.pid === undefined) return leave()
  server.kill(orphanSignal)
  setTimeout(() => server?.kill('SIGKILL'), ORPHAN_GRACE_MS)
}

function leave() {
  // A killed server's own children may still write: without retries the removal ends half-way with ENOTEMPTY.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  process.exit(0)
}

function tell(message) {
  // A refused message means that the other side is gone, which 'disconnect' tells better than an exception.
  if (process.connected) process.send(message, () => {})
}
