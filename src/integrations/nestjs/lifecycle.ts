import type { Server } from 'node:http'
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { Memory } from '../../contract/memory.js'
import { leave } from '../http/health.js'
import { closeIdle } from '../http/shutdown.js'
import { type MemoryModuleOptions, MODULE_OPTIONS } from './options.js'
import { BRUNO_MEMORY } from './tokens.js'

/** Opens the memory with the application, and closes it after the last request. */
export class MemoryLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #memory: Memory
  readonly #options: MemoryModuleOptions
  readonly #host: HttpAdapterHost
  #done: (() => void) | null = null

  constructor(memory: Memory, options: MemoryModuleOptions, host: HttpAdapterHost) {
    this.#memory = memory
    this.#options = options
    this.#host = host
  }

  async onModuleInit(): Promise<void> {
    if (this.#options.connect ?? true) await this.#memory.connect()
  }

  beforeApplicationShutdown(): void {
    leave(this.#memory)
    const server = this.#host.httpAdapter?.getHttpServer() as Partial<Server> | undefined
    if (server?.closeIdleConnections) this.#done = closeIdle(server as Server)
  }

  async onApplicationShutdown(): Promise<void> {
    this.#done?.()
    await this.#memory.close()
  }
}
for (const [index, token] of [BRUNO_MEMORY, MODULE_OPTIONS, HttpAdapterHost].entries())
  Inject(token)(MemoryLifecycle, undefined, index)
Injectable()(MemoryLifecycle)
