import type { Backend, BackendScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import { markDegraded } from '../repository/degraded.js'
import { Call } from './call.js'
import type { Chain } from './chain.js'
import { fillOf } from './fill.js'
import type { Outage } from './outage.js'
import { methodOf, type OutageVerb, verbsOf } from './verbs.js'

/** The verb of the first backend, called on its repository as the front does. */
type Direct = (a: unknown, b: unknown, c: unknown, d: unknown) => Promise<unknown>

/** A verb of one tenant: what all of its calls share. */
class TenantVerb {
  #first: Direct | null = null

  constructor(
    readonly tenantId: string,
    readonly verb: OutageVerb,
  ) {}

  onFirst(backend: Backend): Direct {
    if (this.#first === null) {
      const { repository, name } = this.verb
      this.#first = methodOf(backend.scope(this.tenantId), repository, name) as Direct
    }
    return this.#first
  }
}

/** Its arguments one by one: no verb has more, and a list of them would cost more than the call. */
class VerbCall extends Call {
  constructor(
    readonly of: TenantVerb,
    readonly a: unknown,
    readonly b: unknown,
    readonly c: unknown,
    readonly d: unknown,
  ) {
    super()
  }

  onFirst(backend: Backend): Promise<unknown> {
    return this.of.onFirst(backend)(this.a, this.b, this.c, this.d)
  }

  inOutage(outage: Outage): Promise<unknown> {
    const { tenantId, verb } = this.of
    const args = [this.a, this.b, this.c, this.d]
    while (args.length > 0 && args.at(-1) === undefined) args.pop()
    if (verb.writes) return outage.write(tenantId, verb, args, this.doubtful)
    return outage.read(outage.member.backend.scope(tenantId), verb, args)
  }
}

type Run = (a: unknown, b: unknown, c: unknown, d: unknown) => Promise<unknown>

function runOf(chain: Chain, tenantId: string, verb: OutageVerb): Run {
  const of = new TenantVerb(tenantId, verb)
  const fill = fillOf(verb.repository, verb.name)
  if (fill === null) return (a, b, c, d) => chain.run(new VerbCall(of, a, b, c, d))
  const { newId } = chain.options
  const { at, fill: fillIn } = fill
  if (at === 0) return (a, b, c, d) => chain.run(new VerbCall(of, fillIn(a, newId), b, c, d))
  if (at === 1) return (a, b, c, d) => chain.run(new VerbCall(of, a, fillIn(b, newId), c, d))
  return (a, b, c, d) => chain.run(new VerbCall(of, a, b, fillIn(c, newId), d))
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
    const run = runOf(chain, tenantId, verb)
    repositories[verb.repository] = { ...repositories[verb.repository], [verb.name]: run }
  }
  const ask = (name: Asked) => ({ [name]: (question: unknown) => chain.run(new AskCall(tenantId, name, question)) })
  const scopes = chain.members.filter((member) => member.isOpen).map(({ backend }) => backend.scope(tenantId))
  const asked = (['search', 'statistics', 'purgeExpired'] as const).filter((name) =>
    scopes.every((scope) => scope[name] !== undefined),
  )
  return Object.assign(repositories, ...asked.map(ask)) as BackendScope
}
