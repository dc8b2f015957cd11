import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { secureDatabase } from '../../../src/backends/postgresql/open.js'
import { freshDatabase } from './databases.js'

const role = `bruno_app_${randomBytes(4).toString('hex')}`
const password = randomBytes(8).toString('hex')
let made = false
const secured = new Set<string>()

async function makeRole(url: string): Promise<void> {
  if (made) return
  made = true
  const sql = postgres(url, { max: 1 })
  await sql.unsafe(`create role ${role} login password '${password}'`)
  await sql.end()
}

export interface SecuredDatabase {
  /** Of a plain role. */
  readonly connectionString: string
  readonly maintenanceConnectionString: string
}

/** A fresh database with policies, and the role of an application. */
export async function securedDatabase(): Promise<SecuredDatabase> {
  const url = await freshDatabase()
  await makeRole(url)
  if (!secured.has(url)) await secureDatabase(url, role)
  secured.add(url)
  const app = new URL(url)
  app.username = role
  app.password = password
  return { connectionString: app.href, maintenanceConnectionString: url }
}

export async function dropRole(url: string): Promise<void> {
  if (!made) return
  const sql = postgres(url, { max: 1 })
  await sql.unsafe(`drop role if exists ${role}`)
  await sql.end()
}
