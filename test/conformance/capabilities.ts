import { expect, it } from 'vitest'
import { type Feature, type Harness, suite } from './harness.js'

const FEATURES: readonly Feature[] = [
  'users',
  'conversations',
  'messages',
  'sessions',
  'memories',
  'documents',
  'textSearch',
  'vectorSearch',
  'events',
  'rateLimits',
  'atomicUnit',
]

export function describeCapabilities(harness: Harness): void {
  suite(harness, 'capabilities', [], (ground) => {
    it('are what the harness says, before and after connect', async () => {
      const memory = await ground.create()
      for (const connects of [false, true]) {
        if (connects) await memory.connect()
        for (const feature of FEATURES) expect(memory.capabilities[feature], feature).toBe(!ground.lacks(feature))
        expect(['counter', 'clock']).toContain(memory.capabilities.positions)
      }
      expect(['power', 'process', 'none']).toContain(memory.capabilities.durability)
    })
  })
  // One suite for each feature: it passes as the feature is there, or shrinks to the proof that its lack is said.
  for (const feature of FEATURES)
    if (harness.lacks?.includes(feature)) suite(harness, `capabilities: ${feature}`, [feature], () => {})
}
