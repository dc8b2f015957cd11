/** Makers of conversations as a ChatGPT data export holds them. */
export interface MadeNode {
  readonly id: string
  readonly parent?: string | null
  readonly role?: string
  readonly text?: string
  readonly message?: Record<string, unknown> | null
}

const T0 = 1_760_000_000

export function message(
  id: string,
  role: string,
  content: unknown,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const { name = null, ...rest } = more
  return {
    id,
    author: { role, name, metadata: {} },
    create_time: T0 + 0.25,
    update_time: null,
    content: typeof content === 'string' ? { content_type: 'text', parts: [content] } : content,
    status: 'finished_successfully',
    end_turn: true,
    weight: 1,
    metadata: {},
    recipient: 'all',
    channel: null,
    ...rest,
  }
}

/** A conversation over nodes given with their parents; children follow from those. */
export function conversation(
  id: string,
  nodes: readonly MadeNode[],
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const mapping: Record<string, unknown> = {}
  for (const node of nodes) {
    const children = nodes.filter((other) => other.parent === node.id).map((other) => other.id)
    const made =
      node.message === undefined
        ? message(node.id, node.role ?? 'user', node.text ?? `text of ${node.id}`)
        : node.message
    mapping[node.id] = { id: node.id, message: made, parent: node.parent ?? null, children }
  }
  return {
    title: `Conversation ${id}`,
    create_time: T0,
    update_time: T0 + 100,
    mapping,
    current_node: nodes.at(-1)?.id,
    conversation_id: id,
    id,
    ...more,
  }
}

/** A chain of alternating turns. */
export function chain(id: string, turns: number, text = (i: number) => `turn ${i} of ${id}`): Record<string, unknown> {
  const nodes: MadeNode[] = [{ id: `${id}-root`, message: null }]
  for (let i = 1; i <= turns; i++)
    nodes.push({
      id: `${id}-${i}`,
      parent: i === 1 ? `${id}-root` : `${id}-${i - 1}`,
      role: i % 2 === 1 ? 'user' : 'assistant',
      text: text(i),
    })
  return conversation(id, nodes)
}
