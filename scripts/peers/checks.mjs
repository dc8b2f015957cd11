// The checks: each is given a memory of its own, and answers what was seen.
import { isOf } from './embed.mjs'

const at = new Date('2026-01-01T12:00:00Z')
export const ONE = { tenant: 'ada', thread: 'chat-1', id: 'm1', text: 'I moved to Lisbon in May', at }
const OTHER = 'I moved to Porto in June'
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** How rows and vectors compare: as many vectors as rows, one for each text. */
async function look(ground, memory, thread = ONE) {
  const rows = await memory.texts(thread).catch(() => [])
  const vectors = await ground.vectors(memory)
  const own = rows.map((text) => vectors.filter((vector) => isOf(vector, text)).length)
  const agree = vectors.length === rows.length && own.every((n) => n === 1)
  const without = own.filter((n) => n === 0).length
  return { agree, rows: rows.length, vectors: vectors.length, without }
}

const counted = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`

const told = ({ rows, vectors, without }) =>
  `${counted(rows, 'row')}, ${counted(vectors, 'vector')}${without > 0 ? `, ${counted(without, 'row')} without the vector of its text` : ''}`

async function agreeing(ground, memory, within, thread) {
  const began = performance.now()
  for (;;) {
    await memory.settled()
    const seen = await look(ground, memory, thread)
    const after = performance.now() - began
    if (seen.agree || after > within) {
      const when = seen.agree
        ? after < 2000
          ? ''
          : ` after ${Math.round(after / 1000)} s`
        : ` after ${within / 1000} s`
      return { ok: seen.agree, seen: `${told(seen)}${when}` }
    }
    await sleep(250)
  }
}

/** What a memory has no notion of is not held against it. */
const notAsked = (why) => ({ ok: null, seen: why })
const NO_IDS = 'a message has no id of the caller’s'
const NO_PAGES = 'a listing has no pages'
const ONE_FILE = 'vectors are in the same file as rows'

const attempt = (work) =>
  work.then(
    () => 'the call succeeded',
    () => 'the call threw',
  )

async function bothRead(memory, one, other) {
  await memory.save(one)
  const answer = await attempt(memory.save(other))
  const texts = (message) => memory.texts(message).catch((error) => String(error.message).slice(0, 90))
  const [first, second] = [await texts(one), await texts(other)]
  const ok = JSON.stringify([first, second]) === JSON.stringify([[one.text], [other.text]])
  return {
    ok,
    seen: `${answer}; ${one.tenant} reads ${JSON.stringify(first)}, ${other.tenant} ${JSON.stringify(second)}`,
  }
}

export const CHECKS = {
  'a message saved twice under its id has one vector': async (ground) => {
    const memory = await ground.open()
    if (memory.ownIds === false) return notAsked(NO_IDS)
    await memory.save(ONE)
    await memory.save(ONE)
    return agreeing(ground, memory, 3000)
  },
  'saved again with another text, it has the new one’s vector only': async (ground) => {
    const memory = await ground.open()
    if (memory.ownIds === false) return notAsked(NO_IDS)
    await memory.save(ONE)
    await memory.settled()
    await memory.save({ ...ONE, text: OTHER })
    return agreeing(ground, memory, 3000)
  },
  'edited, it has the new text’s vector only': async (ground) => {
    const memory = await ground.open()
    await memory.save(ONE)
    await memory.settled()
    await memory.edit({ ...ONE, text: OTHER })
    return agreeing(ground, memory, 3000)
  },
  'a deleted message leaves no vector': async (ground) => {
    const memory = await ground.open()
    await memory.save(ONE)
    await memory.settled()
    await memory.remove(ONE)
    return agreeing(ground, memory, 3000)
  },
  'a deleted conversation leaves no vector': async (ground) => {
    const memory = await ground.open()
    for (const id of ['m1', 'm2', 'm3']) await memory.save({ ...ONE, id, text: `text ${id}` })
    await memory.settled()
    await memory.removeThread(ONE)
    return agreeing(ground, memory, 3000)
  },
  'saved while the vector store is down for a second: rows and vectors agree afterwards': async (ground) => {
    const memory = await ground.open()
    if (!memory.vectorsInQdrant) return notAsked(ONE_FILE)
    await memory.save({ ...ONE, id: 'm0', text: 'before' })
    await memory.settled()
    const answer = await ground.downFor(1000, () => attempt(memory.save(ONE)))
    const { ok, seen } = await agreeing(ground, memory, 10_000)
    if (ok) return { ok, seen: `${answer}; ${seen}` }
    await memory.save(ONE)
    const again = await agreeing(ground, memory, 3000)
    return { ok, seen: `${answer}; ${seen}; the call made again: ${again.seen}` }
  },
  'edited while it is down': async (ground) => {
    const memory = await ground.open()
    if (!memory.vectorsInQdrant) return notAsked(ONE_FILE)
    await memory.save(ONE)
    await memory.settled()
    const answer = await ground.downFor(1000, () => attempt(memory.edit({ ...ONE, text: OTHER })))
    const { ok, seen } = await agreeing(ground, memory, 10_000)
    return { ok, seen: `${answer}; ${seen}` }
  },
  'a conversation deleted while it is down': async (ground) => {
    const memory = await ground.open()
    if (!memory.vectorsInQdrant) return notAsked(ONE_FILE)
    await memory.save(ONE)
    await memory.settled()
    const answer = await ground.downFor(1000, () => attempt(memory.removeThread(ONE)))
    const { ok, seen } = await agreeing(ground, memory, 10_000)
    return { ok, seen: `${answer}; ${seen}` }
  },
  'the process is killed as it writes the vector: they agree after it was started again': async (ground) => {
    const memory = await ground.open()
    await memory.save({ ...ONE, id: 'm0', text: 'before' })
    await memory.settled()
    await memory.close()
    const saved = await ground.killed(ONE)
    const { ok, seen } = await agreeing(ground, await ground.open(), 130_000)
    return { ok, seen: `${saved}; ${seen}` }
  },
  'a search of one tenant finds nothing of another': async (ground) => {
    const memory = await ground.open()
    await memory.save(ONE)
    await memory.save({ ...ONE, tenant: 'eve', thread: 'chat-2', id: 'm2', text: OTHER })
    await memory.settled()
    const found = await memory.find({ ...ONE, tenant: 'eve', thread: 'chat-2' })
    return { ok: !found.includes(ONE.text), seen: `found: ${JSON.stringify(found)}` }
  },
  'two tenants may use the same message id, in conversations of their own': async (ground) => {
    const memory = await ground.open()
    if (memory.ownIds === false) return notAsked(NO_IDS)
    const theirs = { ...ONE, tenant: 'eve', thread: 'chat-2', text: OTHER }
    return bothRead(memory, ONE, theirs)
  },
  'two tenants may use the same conversation and message id': async (ground) => {
    const memory = await ground.open()
    if (memory.ownIds === false) return notAsked(NO_IDS)
    return bothRead(memory, ONE, { ...ONE, tenant: 'eve', text: OTHER })
  },
  'of 25 messages of one instant pages of 10 show each once, newest first': async (ground) => {
    const memory = await ground.open({ at })
    if (memory.pages === false) return notAsked(NO_PAGES)
    const texts = Array.from({ length: 25 }, (_, i) => `message ${i}`)
    // Ids whose order is another one than that of saving.
    for (const [i, text] of texts.entries()) await memory.save({ ...ONE, id: `${(i * 7) % 25}`.padStart(2, '0'), text })
    return paged(memory, texts.reverse())
  },
  'so do they when a message arrives between two pages': async (ground) => {
    const memory = await ground.open()
    if (memory.pages === false) return notAsked(NO_PAGES)
    const texts = Array.from({ length: 25 }, (_, i) => `message ${i}`)
    const instant = (i) => new Date(at.getTime() + i * 1000)
    for (const [i, text] of texts.entries()) await memory.save({ ...ONE, id: `m${i}`, text, at: instant(i) })
    return paged(memory, texts.reverse(), () => memory.save({ ...ONE, id: 'late', text: 'late', at: instant(99) }))
  },
}

async function paged(memory, expected, between = async () => undefined) {
  const shown = []
  let cursor
  do {
    const page = await memory.page({ ...ONE, cursor, size: 10 })
    // Newest page first; within a page either order is fair.
    const own = [...page.texts].sort((a, b) => expected.indexOf(a) - expected.indexOf(b))
    shown.push(...own)
    if (cursor === undefined) await between()
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined && shown.length < 100)
  const twice = shown.filter((text, i) => shown.indexOf(text) !== i).length
  const missing = expected.filter((text) => !shown.includes(text)).length
  const ordered = JSON.stringify(shown) === JSON.stringify(expected)
  const order = ordered ? 'in order' : twice + missing > 0 ? '' : ', not in the order of saving'
  return { ok: ordered, seen: `${twice} twice, ${missing} missing ${order}`.trim() }
}
