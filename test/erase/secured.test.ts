import { afterAll, afterEach, expect, test } from 'vitest'
import { urlOf } from '../postgresql/support/databases.js'
import { dropRole, securedDatabase } from '../postgresql/support/secured.js'
import { everything, plant } from './canaries.js'
import { dispose, leaveServer, open } from './stores.js'

afterEach(dispose)
afterAll(async () => {
  await leaveServer()
  await dropRole(urlOf('postgres'))
})

test('under row-level security the application erases, and the maintenance role writes the tables anew', async () => {
  const { connectionString, maintenanceConnectionString } = await securedDatabase()
  const roles = { rowLevelSecurity: true, maintenanceConnectionString }
  const memory = open(connectionString, roles)
  const acme = memory.forTenant('acme')
  for (const who of ['ada', 'bob']) await plant(acme, who, { vectors: false })
  const before = await everything(acme, 'bob')
  expect(await memory.erase({ tenantId: 'acme', userId: 'ada' })).toMatchObject({ complete: true })
  expect(await acme.users.get('ada')).toBe(null)
  expect(await everything(acme, 'bob')).toEqual(before)
  expect(await memory.retain({ messagesPerConversation: 1 })).toMatchObject({ tenants: 1 })
  const alone = open(connectionString, { rowLevelSecurity: true })
  const report = await alone.erase({ tenantId: 'acme' })
  expect(report).toMatchObject({ erased: true, scrubbed: false })
  expect(report.stores[0]?.scrub.find(({ what }) => what.endsWith('bruno_messages'))?.reason).toContain('owner')
})
