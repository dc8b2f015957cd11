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
  const children = childrenOf(nodes)
  const taken = new Set<string>()
  const branches: Branch[] = []
  const add = (run: Node[]): void => {
    for (const node of run) taken.add(node.id)
    const [first] = run
    if (first) branches.push({ nodes: run, from: first.parent })
  }
  const runFrom = (start: Node): Node[] => {
    const run: Node[] = []
    const inRun = new Set<string>()
    for (let node: Node | undefined = start; node && !inRun.has(node.id); ) {
      run.push(node)
      inRun.add(node.id)
      node = children.get(node.id)?.findLast((child) => !taken.has(child.id))
    }
    return run
  }
  if (currentNode !== null) add(pathTo(nodes, currentNode))
  // Without a current node the newest run from the first root is what was last on the screen.
  else for (const root of (children.get(null) ?? []).slice(0, 1)) add(runFrom(root))
  const pending: Node[] = [...(branches[0]?.nodes ?? []), ...(children.get(null) ?? [])]
  let next = 0
  const grow = (): void => {
    for (; next < pending.length; next++) {
      const node = pending[next] as Node
      for (const start of [...(taken.has(node.id) ? [] : [node]), ...(children.get(node.id) ?? [])]) {
        if (taken.has(start.id)) continue
        const run = runFrom(start)
        add(run)
        pending.push(...run)
      }
    }
  }
  grow()
  // What no root reaches hangs in a circle: it is kept all the same.
  for (const node of nodes.values())
    if (!taken.has(node.id)) {
      pending.push(node)
      grow()
    }
  return branches
}
