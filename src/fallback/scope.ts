import type { Backend, BackendScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import { Call } from './call.js'
import type { Chain } from './chain.js'
import { markDegraded } from './degraded.js'
import { fillOf } from './fill.js'
import type { Outage } from './outage.js'
import { methodOf, type OutageVerb, verbsOf } from './verbs.js'

class VerbCall extends Call {
  constructor(
    readonly tenantId: string,
    readonly verb: OutageVerb,
    readonly args: readonly unknown[],
  ) {
    super()
  }

  onFirst(backend: Backend): Promise<unknown> {
    const { repository, name } = this.verb
    // Called on its repository, as the front does.
    const verbs = (backend.scope(this.tenantId) as Record<string, Record<string, (...args: unknown[]) => unknown>>)[
      repository
    ] as Record<string, (...args: unknown[]) => Promise<unknown>>
    return verbs[name]?.(...this.args) as Promise<unknown>
  }

  inOutage(outage: Outage): Promise<unknown> {
    const { tenantId, verb, args } = this
    if (verb.writes) return outage.write(tenantId, verb, args, this.doubtful)
    return outage.read(outage.member.backend.scope(tenantId), verb, args)
  }
}

type Asked = 'search' | 'statistics' | 'purgeExpired'

/** What belongs to no repository. */
class AskCall extends Call {
  constructor(
    readonly tenantId: string,
    readonly name: Asked,
    readonly question: unknown,
  ) {
    super()
  }

  onFirst(backend: Backend): Promise<unknown> {
    return methodOf({ scope: backend.scope(this.tenantId) }, 'scope' as never, this.name)(this.question)
  }

  async inOutage({ member }: Outage): Promise<unknown> {
    const scope = member.backend.scope(this.tenantId)
    return markDegraded(await methodOf({ scope }, 'scope' as never, this.name)(this.question))
  }
}

/** One tenant of a chain: what all of its backends have. */
export function chainScope(chain: Chain, tenantId: string, capabilities: Capabilities): BackendScope {
  const repositories: Record<string, Record<string, unknown>> = {}
  for (const verb of verbsOf(capabilities)) {
    const fill = fillOf(verb.repository, verb.name)
    const { newId } = chain.options
    const run = fill
      ? (...args: unknown[]) => chain.run(new VerbCall(tenantId, verb, fill(args, newId)))
      : (...args: unknown[]) => chain.run(new VerbCall(tenantId, verb, args))
    repositories[verb.repository] = { ...repositories[verb.repository], [verb.name]: run }
  }
  const ask = (name: Asked) => ({ [name]: (question: unknown) => chain.run(new AskCall(tenantId, name, question)) })
  const scopes = chain.members.filter((member) => member.isOpen).map(({ backend }) => backend.scope(tenantId))
  const asked = (['search', 'statistics', 'purgeExpired'] as const).filter((name) =>
    scopes.every((scope) => scope[name] !== undefined),
  )
  return Object.assign(repositories, ...asked.map(ask)) as BackendScope
}
