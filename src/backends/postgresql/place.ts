import { hostsOf } from './hosts.js'

/** Where a database is, without secrets. */
export function databasePlace(connectionString: string): string {
  const { hosts, single } = hostsOf(connectionString)
  const named = hosts.map(({ host, port }) => `${host}:${port}`).join()
  return `${named}${decodeURIComponent(new URL(single).pathname)}`
}
