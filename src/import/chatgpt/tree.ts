import type { Node } from './shape.js'

/** A run of nodes from one that leaves another run (or from a root) down to a leaf. */
export interface Branch {
  readonly nodes: readonly Node[]
  /** The node that the first one answers, or null. It stands in an earlier branch. */
  readonly from: string | null
}

/** Children by the parents that nodes name, in the order in which the parent names them. */
function childrenOf(nodes: ReadonlyMap<string, Node>): Map<string | null, Node[]> {
  const children = new Map<string | null, Node[]>()
  for (const node of nodes.values()) {
    const siblings = children.get(node.parent)
    if (siblings) siblings.push(node)
    else children.set(node.parent, [node])
  }
  for (const [parent, list] of children) {
    const order = parent === null ? undefined : nodes.get(parent)?.children
    if (order && list.length > 1) {
      const rank = new Map(order.map((id, i) => [id, i]))
      list.sort((a, b) => (rank.get(a.id) ?? order.length) - (rank.get(b.id) ?? order.length))
    }
  }
  return children
}

/** From the root down to the node that the user last saw. */
function pathTo(nodes: ReadonlyMap<string, Node>, current: string): Node[] {
  const path: Node[] = []
  const seen = new Set<string>()
  // A parent that is also a descendant would be walked for ever.
  for (let id: string | null = current; id !== null && !seen.has(id); ) {
    const node = nodes.get(id)
    if (!node) break
    seen.add(id)
    path.push(node)
    id = node.parent
  }
  return path.reverse()
}

/**
 * The tree as runs: first the path to the current node, then every other run, each node in exactly one. A run that
 * leaves another goes on with the newest answer at each fork, as the screen does.
 */
export function branchesOf(nodes: ReadonlyMap<string, Node>, currentNode: string | null): Branch[] {
  const walk = new Walk(nodes)
  if (currentNode !== null) walk.add(pathTo(nodes, currentNode))
  // Without a current node the newest run from the first root is what was last on the screen.
  else for (const root of walk.roots.slice(0, 1)) walk.add(walk.runFrom(root))
  for (const root of walk.roots) walk.from(root)
  // What no root reaches hangs in a circle: it is kept all the same.
  for (const node of nodes.values()) walk.from(node)
  return walk.branches
}

class Walk {
  readonly branches: Branch[] = []
  readonly #children: ReadonlyMap<string | null, readonly Node[]>
  readonly #taken = new Set<string>()
  /** Nodes of finished runs, whose other children begin runs of their own. */
  readonly #pending: Node[] = []
  #next = 0

  constructor(nodes: ReadonlyMap<string, Node>) {
    this.#children = childrenOf(nodes)
  }

  get roots(): readonly Node[] {
    return this.#children.get(null) ?? []
  }

  add(run: readonly Node[]): void {
    for (const node of run) this.#taken.add(node.id)
    const [first] = run
    if (first) this.branches.push({ nodes: run, from: first.parent })
    for (const node of run) this.#pending.push(node)
  }

  /** Down from a node to a leaf, over what no other run has. */
  runFrom(start: Node): Node[] {
    const run: Node[] = []
    const inRun = new Set<string>()
    for (let node: Node | undefined = start; node && !inRun.has(node.id); ) {
      run.push(node)
      inRun.add(node.id)
      node = this.#children.get(node.id)?.findLast((child) => !this.#taken.has(child.id))
    }
    return run
  }

  /** The runs that leave those so far, then one from this node and those that leave it. */
  from(node: Node): void {
    this.#grow()
    if (this.#taken.has(node.id)) return
    this.add(this.runFrom(node))
    this.#grow()
  }

  #grow(): void {
    for (; this.#next < this.#pending.length; this.#next++) {
      const { id } = this.#pending[this.#next] as Node
      for (const child of this.#children.get(id) ?? []) if (!this.#taken.has(child.id)) this.add(this.runFrom(child))
    }
  }
}
