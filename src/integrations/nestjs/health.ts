import { Inject, Injectable } from '@nestjs/common'
import { type HealthyMemory, isReady } from '../http/health.js'
import { BRUNO_MEMORY } from './tokens.js'

/** Says how the memory is, in the shape of `@nestjs/terminus`. */
export class MemoryHealthIndicator {
  readonly #memory: HealthyMemory

  constructor(memory: HealthyMemory) {
    this.#memory = memory
  }

  /** `down` where the store does not answer within two seconds, and while the application shuts down. Never throws. */
  async isHealthy<Key extends string = 'memory'>(
    key: Key = 'memory' as Key,
  ): Promise<Record<Key, { status: 'up' | 'down' }>> {
    const status = (await isReady(this.#memory)) ? 'up' : 'down'
    return { [key]: { status } } as Record<Key, { status: 'up' | 'down' }>
  }
}
Inject(BRUNO_MEMORY)(MemoryHealthIndicator, undefined, 0)
Injectable()(MemoryHealthIndicator)
