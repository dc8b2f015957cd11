import Database from 'better-sqlite3'
import { beforeAll, describe, expect, test } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import { MINUTE, manualClock } from '../support/clock.js'
import { spyOnStatements, tally } from './support/spy.js'
import { freshStore } from './support/store.js'
import { allVerbs, callReads, callSearches, callWrites, fillTenant, noting, TENANTS } from './support/workload.js'

interface Plan {
  readonly text: string
  readonly steps: readonly string[]
}

const called = new Set<string>()
const plans: Plan[] = []

/** Every text that the repositories run, with the plan that the finished store has for it. */
beforeAll(async () => {
  await using store = freshStore()
  using spy = spyOnStatements()
  const clock = manualClock()
  const memory = await store.open({ clock: clock.now })
  spy.take()
  for (const name of TENANTS) await fillTenant(memory.forTenant(name))
  const tenant = noting(memory.forTenant('acme'), called)
  await callReads(tenant)
  await callSearches(tenant)
  await callWrites(tenant)
  clock.advance(MINUTE)
  await tenant.purgeExpired({ batch: 5 })
  await memory.sweep()
  const ours = new Set(spy.take().filter((text) => text.includes('bruno_')))
  using client = Object.assign(new Database(store.path, { readonly: true }), {
    [Symbol.dispose]: () => client.close(),
  })
  for (const text of ours) plans.push({ text, steps: explain(client, text) })
})

function explain(client: Database.Database, text: string): string[] {
  const places = text.replace(/'[^']*'|"[^"]*"/g, '').match(/\?/g)?.length ?? 0
  const steps = client.prepare<null[], { detail: string }>(`explain query plan ${text}`)
  return steps.all(...Array<null>(places).fill(null)).map((step) => step.detail)
}

/** Steps that match, as `step: text`, without the list of columns. */
const offending = (wrong: (step: string, text: string) => boolean): string[] =>
  plans.flatMap(({ text, steps }) =>
    steps.filter((step) => wrong(step, text)).map((step) => `${step}: ${text.replace(/^\s*select .*? from /s, '')}`),
  )

interface Exception {
  readonly step: RegExp
  readonly text: RegExp
  readonly because: string
}

const SCANS: readonly Exception[] = [
  { step: /^SCAN bruno_revision$/, text: /^update bruno_revision/, because: 'the table has one row' },
  { step: /^SCAN (j|json_each)\b.* VIRTUAL TABLE/, text: /json_each/, because: 'walks one value, stored or given' },
  { step: /^SCAN f VIRTUAL TABLE INDEX \d+:M/, text: / match \?/, because: 'walks the postings of what is searched' },
  {
    step: /^SCAN bruno_messages$/,
    text: /^select "bruno_messages"."seq" from "bruno_messages" order by "bruno_messages"."seq" desc limit 1$/,
    because: 'reads the last row of the table',
  },
  {
    step: /^SCAN f$/,
    text: /^insert into bruno_outbox [\s\S]* from bruno_followers as f /,
    because: 'followers are a handful',
  },
  { step: /^SCAN bruno_analyzers$/, text: /"id" <> \?/, because: 'one row for each language that is in use' },
  { step: /^SCAN counted$/, text: / limit 10001\) as counted$/, because: 'counts up to a bound' },
  { step: /^SCAN due$/, text: /^with due as materialized/, because: 'the batch that was chosen' },
  { step: /^SCAN t VIRTUAL TABLE INDEX 1:$/, text: /_words" as w /, because: 'the words of the question' },
  { step: /^SCAN w VIRTUAL TABLE INDEX 259:/, text: /w\.term = t\.value/, because: 'finds each word by its name' },
  {
    step: /^SCAN json_each VIRTUAL TABLE INDEX 1:$/,
    text: / as w\n? *cross join /,
    because: 'the stretches that are asked for',
  },
  { step: /^SCAN t$/, text: /with recursive t\(id\)/, because: 'walks the tenants that another step found' },
  { step: /^SCAN (turns|\(subquery-\d+\))$/, text: /as turns/, because: 'walks the rows of one conversation' },
]

const UNBOUND: readonly Exception[] = [
  {
    step: /USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/,
    text: /^insert into bruno_\w+_search .* where seq between \? and \?/,
    because: 'the rows that the same transaction inserted',
  },
  { step: /USING INTEGER PRIMARY KEY \(rowid=\?\)/, text: / match \?/, because: 'the rows that the index answered' },
  { step: /USING INTEGER PRIMARY KEY \(rowid=\?\)/, text: / as s\s+cross join /, because: 'the rows that were found' },
  {
    step: /USING COVERING INDEX bruno_\w+_expiry( \(tenant_id>\?\))?$/,
    text: /with recursive t\(id\)/,
    because: 'one step per tenant, whatever it holds',
  },
]

const excepted = (list: readonly Exception[], step: string, text: string): boolean =>
  list.some((each) => each.step.test(step) && each.text.test(text))

describe('the statements of the repositories', () => {
  test('every verb of every repository was called', () => {
    expect([...called].filter((verb) => !verb.endsWith('.each')).sort()).toEqual(allVerbs().sort())
    expect(plans.length).toBeGreaterThan(150)
  })

  test('none walks a whole table', () => {
    expect(offending((step, text) => step.startsWith('SCAN') && !excepted(SCANS, step, text))).toEqual([])
  })

  test('each finds its rows by an index that the tenant leads', () => {
    const wrong = (step: string, text: string): boolean =>
      step.startsWith('SEARCH bruno_') && !/\(tenant_id=\?/.test(step) && !excepted(UNBOUND, step, text)
    expect(offending(wrong)).toEqual([])
  })

  test('none sorts what it reads, and none has an index made for it', () => {
    expect(offending((step) => /TEMP B-TREE FOR .*ORDER BY|AUTOMATIC/.test(step))).toEqual([])
  })

  test('every listed exception is needed', () => {
    const unused = [...SCANS, ...UNBOUND].filter(
      (each) => !plans.some(({ text, steps }) => each.text.test(text) && steps.some((step) => each.step.test(step))),
    )
    expect(unused.map((each) => each.because)).toEqual([])
  })

  test('a search is sorted by the full-text index itself', () => {
    const searches = plans.filter(({ text }) => text.includes(' match ?'))
    expect(searches.length).toBeGreaterThan(20)
    // The first of FTS5's two numbers has the bit 32 where it answers in the order of rank.
    for (const { steps } of searches) expect(steps[0]).toMatch(/^SCAN f VIRTUAL TABLE INDEX 32:M/)
  })

  test('a page is found by its cursor in the index', () => {
    const pages = plans.filter(({ text }) => /\) [<>] \(\?, \?(, \?)?\)/.test(text) && text.includes('"bruno_'))
    expect(pages.length).toBeGreaterThan(20)
    for (const { text, steps } of pages) expect(steps.join(), text).toMatch(/,(created_at,)?id\)[<>]\(\?,\?(,\?)?\)/)
  })
})

test('a deleted parent finds its children by an index', async () => {
  await using store = freshStore()
  await store.open()
  const client = new Database(store.path, { readonly: true })
  const keys = client
    .prepare<[], { child: string; id: number; column: string }>(
      `select m.name as child, f.id, f."from" as "column" from sqlite_master m, pragma_foreign_key_list(m.name) f
       where m.type = 'table' and m.name glob 'bruno_*' order by m.name, f.id, f.seq`,
    )
    .all()
  const columns = new Map<string, { child: string; names: string[] }>()
  for (const { child, id, column } of keys) {
    const key = columns.get(`${child} ${id}`) ?? { child, names: [] }
    key.names.push(column)
    columns.set(`${child} ${id}`, key)
  }
  expect(columns.size).toBeGreaterThanOrEqual(4)
  for (const { child, names } of columns.values()) {
    const condition = names.map((name) => `${name} = ?`).join(' and ')
    const [step] = explain(client, `select rowid from ${child} where ${condition}`)
    expect(step).toContain(`(${names.map((name) => `${name}=?`).join(' AND ')})`)
  }
  client.close()
})

describe('the number of statements of a call', () => {
  async function counting(call: (tenant: TenantMemory) => Promise<unknown>): Promise<Map<string, number>> {
    await using store = freshStore()
    using spy = spyOnStatements()
    const memory = await store.open()
    await fillTenant(memory)
    spy.take()
    await call(memory)
    return tally(spy.take())
  }
  const says = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ role: 'user' as const, content: `tram number ${i}` }))

  test('does not grow with the messages of an append, but for their rows', async () => {
    for (const n of [1, 100]) {
      const counts = await counting((tenant) => tenant.messages.append('c1', says(n)))
      const rows = [...counts.keys()].filter((text) => text.startsWith('insert into "bruno_messages"'))
      expect(rows.map((text) => counts.get(text))).toEqual([n])
      const others = [...counts].filter(([text]) => !rows.includes(text)).map(([, times]) => times)
      // Begin, the conversation, the revision, the index, the followers, commit.
      expect(others).toEqual([1, 1, 1, 1, 1, 1])
    }
  })

  test('is one for a record and for a page', async () => {
    const calls: ((tenant: TenantMemory) => Promise<unknown>)[] = [
      (tenant) => tenant.messages.list('c1', { last: 10 }),
      (tenant) => tenant.messages.list('c1', { first: 10, roles: ['user'] }),
      (tenant) => tenant.messages.get('c1', 'm1'),
      (tenant) => tenant.messages.turnCount('c1'),
      (tenant) => tenant.conversations.list({ userId: 'u1' }),
      (tenant) => tenant.sessions.latest('u1'),
      (tenant) => tenant.memories.list({ userId: 'u1', types: ['fact'], tags: ['tram'] }),
      (tenant) => tenant.documents.list('n1'),
      (tenant) => tenant.users.list(),
    ]
    for (const call of calls) expect([...(await counting(call)).values()]).toEqual([1])
  })

  test('of a search is the same whatever it finds: each is run once', async () => {
    const all = await counting((tenant) => tenant.search({ text: 'tram in lisbon' }))
    // Languages; of each kind candidates, a count and frequencies; of messages their neighbours; what is answered.
    expect([...all.values()].every((times) => times === 1)).toBe(true)
    expect(all.size).toBeLessThanOrEqual(1 + 3 * 3 + 1 + 3)
    const one = await counting((tenant) => tenant.search({ text: 'tram in lisbon', kinds: ['message'] }))
    expect([...one.values()]).toEqual([1, 1, 1, 1, 1, 1])
  })

  test('of a recall is a search and one write for all that it found', async () => {
    const counts = await counting((tenant) => tenant.memories.recall({ text: 'tram', limit: 50 }))
    // Begin, the search's five, the revision, the use, commit.
    expect([...counts.values()]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1])
  })
})
