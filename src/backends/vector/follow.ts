import type { FollowWrite } from './store.js'

export type Live = Extract<FollowWrite, { point: unknown }>
export type Gone = Extract<FollowWrite, { gone: unknown }>

export const isLive = (write: FollowWrite): write is Live => 'point' in write

const toldOf = (write: FollowWrite): { readonly key: string; readonly revision: number } =>
  isLive(write) ? write.point : write.gone

export const keyOf = (write: FollowWrite): string => toldOf(write).key

export const revisionOf = (write: FollowWrite): number => toldOf(write).revision

/** Of each key what is told by the highest revision; of equal ones the last. An engine must not be told of a key twice in one request. */
export function latestOf(writes: readonly FollowWrite[]): FollowWrite[] {
  const latest = new Map<string, FollowWrite>()
  for (const write of writes) {
    const known = latest.get(keyOf(write))
    if (!known || revisionOf(known) <= revisionOf(write)) latest.set(keyOf(write), write)
  }
  return [...latest.values()]
}
