import type { ChangedKey } from '../contract/online.js'
import type { Carried, TransferSource } from '../contract/transfer.js'
import type { RecordKey, TransferDifference } from '../contract/transfer-plan.js'
import { UnsupportedError } from '../errors.js'
import { differingFields } from './fields-that-differ.js'
import { keyOf } from './keys.js'
import { carriedDigest, type VectorRule } from './record-hash.js'

const SOME = 200

export const changedKey = ({ kind, tenantId, scope, id }: RecordKey): ChangedKey => ({
  kind,
  tenantId,
  scope,
  recordId: id,
})

const textOf = ({ kind, tenantId, scope, id }: RecordKey): string => JSON.stringify([kind, tenantId, scope, id])

async function found(side: TransferSource, keys: readonly RecordKey[]): Promise<ReadonlyMap<string, Carried>> {
  if (!side.find) throw new UnsupportedError('transfer', 'records of this store cannot be found by their keys')
  const records = await side.find(keys.map(changedKey))
  return new Map(records.map((carried) => [textOf(keyOf(carried)), carried]))
}

/** Which of these records are not the same on both sides now. */
export async function stillDiffering(
  source: TransferSource,
  target: TransferSource,
  keys: readonly RecordKey[],
  rule: VectorRule,
): Promise<TransferDifference[]> {
  const differences: TransferDifference[] = []
  for (let i = 0; i < keys.length; i += SOME) {
    const some = keys.slice(i, i + SOME)
    const [here, there] = await Promise.all([found(source, some), found(target, some)])
    for (const key of some) {
      const [mine, theirs] = [here.get(textOf(key)), there.get(textOf(key))]
      const { kind, tenantId, scope, id } = key
      const differs = (what: TransferDifference['what'], fields: readonly string[] = []) =>
        differences.push({ kind, tenantId, scope, id, what, fields })
      if (mine && !theirs) differs('missing')
      else if (!mine && theirs) differs('extra')
      else if (mine && theirs && !carriedDigest(mine, rule).equals(carriedDigest(theirs, rule)))
        differs('different', differingFields(mine, theirs, rule))
    }
  }
  return differences
}
