import type { EraseMeans, ErasureSubject } from '../../contract/erase.js'
import { now, type SqlContext } from './context.js'
import { deleteConversations } from './delete.js'
import type { SqlSession } from './engine.js'
import { eraseStatements } from './erase-statements.js'
import { messageStatements } from './message-statements.js'
import type { Statement, Values } from './statement.js'
import { embeddedText, hashOf } from './vector-making.js'
import { MAX_EMBEDDED } from './vectors.js'

/** Rounds over somebody who goes on writing; then what is left goes in one transaction. */
const ROUNDS = 20

interface Text {
  readonly name?: string | null
  readonly content: string
}

/** By what a text's vector may be kept: with the name of who speaks, and without. */
function hashesOf(texts: readonly Text[]): Buffer[] {
  const forms = texts.flatMap(({ name = null, content }) => [
    embeddedText({ name, content }),
    content.slice(0, MAX_EMBEDDED),
  ])
  return [...new Set(forms)].map(hashOf)
}

/** Removes the records of a subject, a batch a transaction. Whoever they belong to goes last, so that it can go on. */
export class RecordEraser {
  readonly counts: Record<string, number> = {}
  readonly #s

  constructor(
    readonly context: SqlContext,
    readonly subject: ErasureSubject,
    readonly means: EraseMeans,
  ) {
    this.#s = eraseStatements(context.engine)
  }

  get #own() {
    const own = this.#s.subject[this.subject.userId === undefined ? 0 : 1]
    return own as NonNullable<typeof own>
  }
  get #values(): Values {
    return { tenantId: this.context.tenantId, userId: this.subject.userId, limit: this.means.batch }
  }

  #look<R>(statement: Statement<R>, values: Values = this.#values): Promise<R[]> {
    const { runner } = this.context
    return (runner.current ?? runner.read)(async (session) => session.all(statement, values))
  }

  #count(what: string, n: number): void {
    this.counts[what] = (this.counts[what] ?? 0) + n
    if (n > 0) this.means.removed(n)
  }

  /** Runs a bounded delete until it finds less than a batch. */
  async #drain(what: string, statement: Statement<never>): Promise<void> {
    for (;;) {
      const n = await this.context.runner.write(async (session) => session.run(statement, this.#values))
      this.#count(what, n)
      if (n < this.means.batch) return
    }
  }

  /** Vectors by their texts are forgotten before the texts go, and again after: somebody may have just made them. */
  async #removing<R extends Text>(
    what: string,
    texts: readonly Text[],
    remove: (session: SqlSession) => Promise<readonly R[]>,
  ): Promise<void> {
    await this.means.forget(hashesOf(texts))
    const gone = await this.context.runner.write(remove)
    await this.means.forget(hashesOf(gone))
    this.#count(what, gone.length)
  }

  async run(): Promise<void> {
    const { userId } = this.subject
    for (let round = 1; ; round++) {
      await this.#conversations()
      await this.#memories()
      if (userId === undefined) await this.#documents()
      await this.#drain('bruno_sessions', this.#own.dropSessions)
      if (await this.#users(round >= ROUNDS)) break
    }
    await this.#drain('bruno_embeddings', this.#own.dropEmbeddings)
  }

  async #conversations(): Promise<void> {
    for (;;) {
      const page = await this.#look(this.#own.conversations)
      for (const { id } of page) await this.#conversation(id)
      if (page.length < this.means.batch) return
    }
  }

  async #conversation(conversationId: string): Promise<void> {
    const one = { tenantId: this.context.tenantId, conversationId }
    for (let last = false; !last; ) {
      const page = await this.#look(this.#s.messages, { ...one, limit: this.means.batch })
      await this.#removing('bruno_messages', page, async (session) => {
        const removed = await this.#part(session, one)
        last = removed.length < this.means.batch
        return removed
      })
    }
    this.#count('bruno_conversations', 1)
  }

  /** The newest messages; with the last of them their conversation, so that nobody can write faster than they go. */
  async #part(session: SqlSession, one: { readonly tenantId: string; readonly conversationId: string }) {
    const { batch } = this.means
    if ((await session.all(this.#s.lockConversation, one)).length === 0) return []
    const page = await session.all(this.#s.messages, { ...one, limit: batch })
    const range = { ...one, low: page.at(-1)?.position, high: page[0]?.position }
    const gone = page.length > 0 ? await session.all(this.#s.dropMessages, range) : []
    if (gone.length < batch) await deleteConversations(this.context, session, [one.conversationId])
    else
      await session.run(messageStatements(this.context.engine).shrink, {
        ...one,
        n: gone.length,
        now: now(this.context),
      })
    return gone
  }

  async #memories(): Promise<void> {
    const { tenantId, engine } = this.context
    for (;;) {
      const page = await this.#look(this.#own.memories)
      const ids = engine.conditions.texts(page.map(({ id }) => id))
      if (page.length > 0)
        await this.#removing('bruno_memories', page, async (session) =>
          session.all(this.#s.dropMemories, { tenantId, ids }),
        )
      if (page.length < this.means.batch) return
    }
  }

  async #documents(): Promise<void> {
    const { tenantId, engine } = this.context
    for (;;) {
      const page = await this.#look(this.#s.documents)
      const keys = engine.conditions.encodeRows(page.map(({ namespace, id }) => [namespace, id]))
      if (page.length > 0)
        await this.#removing('bruno_documents', page, async (session) =>
          session.all(this.#s.dropDocuments, { tenantId, keys }),
        )
      if (page.length < this.means.batch) return
    }
  }

  /** Answers false where somebody still has anything, which was written meanwhile. */
  async #users(surely: boolean): Promise<boolean> {
    const { userId } = this.subject
    if (userId !== undefined) return this.#user(userId, surely)
    let all = true
    for (let after = ''; ; ) {
      const page = await this.#look(this.#s.users, { ...this.#values, after })
      for (const { id } of page) all = (await this.#user(id, surely)) && all
      if (page.length < this.means.batch) return all
      after = page.at(-1)?.id as string
    }
  }

  async #user(userId: string, surely: boolean): Promise<boolean> {
    const values = { tenantId: this.context.tenantId, userId, limit: 1 }
    const [ofUser] = this.#s.subject.slice(1)
    const counts = ofUser?.counts
    const dropped = await this.context.runner.write(async (session) => {
      if ((await session.all(this.#s.lockUser, values)).length === 0) return 0
      for (const what of ['bruno_conversations', 'bruno_sessions', 'bruno_memories'] as const)
        if (!surely && counts && ((await session.all(counts[what], values))[0]?.n ?? 0) > 0) return null
      return session.run(this.#s.dropUser, values)
    })
    if (dropped !== null) this.#count('bruno_users', dropped)
    return dropped !== null
  }
}
