// A process that moves everything and is killed at a step: FROM TO STEP TIMES RECORDS JOBS OPTIONS.
import { v7 } from 'uuid'
import { newOwner } from '../../../src/owner.js'
import { openSource, openTarget } from '../../../src/run-transfer.js'
import { runTransfer } from '../../../src/transfer/run.js'
import { dying, type Step } from './steps.js'

const [from = '', to = '', step = '', times = '1', records = '10', jobs, options = '{}'] = process.argv.slice(2)
const { open = {}, ...wishes } = JSON.parse(options) as { open?: Record<string, unknown> }
const source = await openSource({ url: from })
const target = await openTarget({ url: to, options: open }, jobs)
await runTransfer(
  {
    source: source.end,
    target: dying(target.end, { step: step as Step, after: Number(times) }),
    targetSource: async () => (await openSource({ url: to })).end,
  },
  { allowOmit: true, resume: true, limits: { records: Number(records) }, verify: false, ...wishes },
  { clock: Date.now, newId: () => v7(), owner: newOwner() },
)
await target.close()
await source.close()
