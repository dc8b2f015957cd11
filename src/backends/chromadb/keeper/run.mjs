import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { filesOf } from './files.mjs'
import { Lock } from './lock.mjs'
import { LOOPBACK } from './ports.mjs'
import { killGroup } from './processes.mjs'

/** The exit code that says: this program cannot be run at all; the reason stands in the output. */
export const UNUSABLE = 86

const LOCK_MS = 10_000
const GRACE_MS = 2_000

/** Runs Chroma's server on the folder until it ends, or until the standard input ends, which the keeper holds open. */
export async function run(folder, port, program) {
  // Held by this very process: as long as a server of ours may live, no other one starts on the folder.
  const lock = await Lock.wait(filesOf(folder).serverLock, LOCK_MS)
  if (!lock) return leave(1, 'another server still runs on this folder')
  // A lock that nothing refers to would be freed by the collector of garbage.
  process.once('exit', () => lock.release())
  const args = ['run', '--path', folder, '--host', LOOPBACK, '--port', String(port)]
  if (program.kind === 'binding') runBinding(program.path, args)
  else standOver(program.path, args)
}

function runBinding(path, args) {
  let binding
  try {
    binding = createRequire(import.meta.url)(path)
  } catch (error) {
    return leave(UNUSABLE, error.message)
  }
  if (typeof binding.cli !== 'function') return leave(UNUSABLE, 'it has no function `cli`')
  // The call below does not come back while the server runs, and no timer or event of this thread is served.
  new Worker(WATCH, { eval: true, workerData: { grace: GRACE_MS } })
  binding.cli(['chroma', ...args])
  leave(1)
}

/** Reads the standard input in a thread of its own, blocking, and ends the process when the keeper is gone. */
const WATCH = `
const { readSync } = require('node:fs')
const { workerData } = require('node:worker_threads')
const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
const open = () => {
  try {
    return readSync(0, Buffer.alloc(64)) > 0
  } catch (error) {
    if (error.code !== 'EAGAIN') return false
    pause(100)
    return true
  }
}
while (open());
process.kill(process.pid, 'SIGTERM')
pause(workerData.grace)
process.kill(process.pid, 'SIGKILL')
`

/** A program that is not ours does not watch its input: this process does, and takes it along. */
function standOver(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  child.once('error', (error) => leave(UNUSABLE, error.message))
  let ending = false
  const endAll = () => killGroup(process.pid)
  // A script that starts the server may have left it behind.
  child.once('exit', () => (ending ? endAll() : leave(1)))
  const end = () => {
    if (ending) return
    ending = true
    child.kill('SIGTERM')
    setTimeout(endAll, GRACE_MS)
  }
  process.on('SIGTERM', end)
  process.stdin.once('close', end).resume()
}

function leave(code, reason) {
  // An exit does not wait for a pipe, unless the text is written first.
  if (reason === undefined) process.exit(code)
  process.stderr.write(`${reason}\n`, () => process.exit(code))
}
