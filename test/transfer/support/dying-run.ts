// A process that moves everything and is killed at a step: FROM TO STEP TIMES RECORDS.
import { v7 } from 'uuid'
import { newOwner } from '../../../src/owner.js'
import { openSource, openTarget } from '../../../src/run-transfer.js'
import { runTransfer } from '../../../src/transfer/run.js'
import { dying, type Step } from './steps.js'

const [from = '', to = '', step = '', times = '1', records = '10', options = '{}'] = process.argv.slice(2)
const source = await openSource({ url: from })
const target = await openTarget({ url: to, options: JSON.parse(options) })
await runTransfer(
  {
    source: source.end,
    target: dying(target.end, { step: step as Step, after: Number(times) }),
    targetSource: async () => (await openSource({ url: to })).end,
  },
  { resume: true, limits: { records: Number(records) }, verify: false },
  { clock: Date.now, newId: () => v7(), owner: newOwner() },
)
await target.close()
await source.close()
