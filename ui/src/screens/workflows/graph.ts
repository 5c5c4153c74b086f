/** The graph of a definition: order, ways, handles, and each node as a sentence. */
import { DEFAULT_HANDLE, type Definition, type Exit, type WorkflowNode } from './definition.ts'

/** A type of node, as `workflows.nodes` tells it. */
export interface NodeKind {
  readonly type: string
  readonly phase: string
  readonly summary: string
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, string>>
  readonly handles: readonly string[]
}

/** Handles of nodes by their settings, as `workflows.validate` answers them. */
export type KnownHandles = Readonly<Record<string, readonly string[]>>

const NAME_OF_HANDLE = /^[A-Za-z0-9][A-Za-z0-9_-]*$/

/** The handles by which a run can leave a node: as the server says, or those of its type until it has answered, and those in use. */
export function handlesOf(
  node: WorkflowNode,
  kinds: readonly NodeKind[],
  known: KnownHandles,
  { edges }: Definition,
): readonly string[] {
  const own =
    known[node.id] ??
    kinds.find(({ type }) => type === node.type)?.handles.filter((handle) => NAME_OF_HANDLE.test(handle)) ??
    []
  const used = edges.filter(({ from }) => from === node.id).map(({ handle }) => handle)
  return [...new Set([...own, ...used])]
}

/** Nodes in an order in which each comes after those that lead to it; nodes of a cycle come last. Ties keep the order of the document. */
export function orderOf(definition: Definition): readonly WorkflowNode[] {
  const { nodes, edges } = definition
  const ids = new Set(nodes.map(({ id }) => id))
  const waiting = new Map(nodes.map(({ id }) => [id, 0]))
  const inner = edges.filter(({ from, to }) => ids.has(from) && ids.has(to))
  for (const { to } of inner) waiting.set(to, waiting.get(to)! + 1)
  const onward = Map.groupBy(inner, ({ from }) => from)
  const done: WorkflowNode[] = []
  const left = new Set(nodes)
  const take = (node: WorkflowNode): void => {
    left.delete(node)
    done.push(node)
    for (const { to } of onward.get(node.id) ?? []) waiting.set(to, waiting.get(to)! - 1)
    // The ways of a node follow it, one after the other
    for (const { to } of onward.get(node.id) ?? []) {
      const next = nodes.find(({ id }) => id === to)!
      if (left.has(next) && waiting.get(to) === 0) take(next)
    }
  }
  for (const node of nodes) if (left.has(node) && waiting.get(node.id) === 0) take(node)
  return [...done, ...left]
}

/** Ids of the nodes that lie on a way to this one. */
export function ancestorsOf({ edges }: Definition, id: string): ReadonlySet<string> {
  const found = new Set<string>()
  const ask = [id]
  for (let one = ask.pop(); one !== undefined; one = ask.pop())
    for (const { from, to } of edges)
      if (to === one && !found.has(from)) {
        found.add(from)
        ask.push(from)
      }
  return found
}

/** How many steps a node is behind the start, on the longest way. */
function depthsOf(definition: Definition): ReadonlyMap<string, number> {
  const depths = new Map<string, number>()
  for (const { id } of orderOf(definition)) {
    const before = definition.edges.filter(({ to }) => to === id).map(({ from }) => depths.get(from) ?? -1)
    depths.set(id, Math.max(-1, ...before) + 1)
  }
  return depths
}

export type Direction = 'next' | 'previous' | 'above' | 'below'

/** The node that an arrow key leads to: along an edge, or to the node beside it. Null: there is none. */
export function neighbourOf(definition: Definition, id: string, direction: Direction): string | null {
  const { edges } = definition
  if (direction === 'next') return edges.find(({ from }) => from === id)?.to ?? null
  if (direction === 'previous') return edges.find(({ to }) => to === id)?.from ?? null
  const depths = depthsOf(definition)
  const beside = orderOf(definition).filter((node) => depths.get(node.id) === depths.get(id))
  const index = beside.findIndex((node) => node.id === id)
  return beside[index + (direction === 'below' ? 1 : -1)]?.id ?? null
}

/** The first handle of a node that leads nowhere; null if each leads on. Ways of failures come last. */
export function freeExit(node: WorkflowNode, handles: readonly string[], { edges }: Definition): Exit | null {
  const free = handles.filter(
    (handle) => !edges.some((edge) => edge.from === node.id && edge.handle === handle),
  )
  const handle = free.find((one) => one !== 'error') ?? (node.on_error === 'handle' ? free[0] : undefined)
  return handle === undefined ? null : { from: node.id, handle }
}

/** `http request` of `http_request_node`. */
export function wordsOf(type: string): string {
  return type
    .replace(/_node$/, '')
    .replaceAll('_', ' ')
    .replace(/\b(?:http|mcp|llm|smtp)\b/g, (word) => word.toUpperCase())
}

/** A node for people who do not see the graph: `check, validate, valid to call, invalid to bad`. */
export function sentenceOf(node: WorkflowNode, handles: readonly string[], { edges }: Definition): string {
  const ways = handles.flatMap((handle) => {
    const targets = edges
      .filter((edge) => edge.from === node.id && edge.handle === handle)
      .map(({ to }) => to)
    if (targets.length === 0) return []
    const to = targets.join(' and ')
    return [handle === DEFAULT_HANDLE && handles.length === 1 ? `to ${to}` : `${handle} to ${to}`]
  })
  return [node.id, wordsOf(node.type), ...ways].join(', ')
}

/** The handle by which a new node of a kind goes on in the middle of an edge; null if it ends the run. */
export function onwardHandle({ handles }: NodeKind): string | null {
  return handles.find((handle) => NAME_OF_HANDLE.test(handle)) ?? null
}

/** Kinds of nodes that can stand at a place: behind a handle no trigger, and a second trigger nowhere. */
export function kindsFor(
  kinds: readonly NodeKind[],
  definition: Definition,
  place: 'start' | 'behind',
): readonly NodeKind[] {
  const hasTrigger = definition.nodes.some(
    ({ type }) => kinds.find((kind) => kind.type === type)?.phase === 'trigger',
  )
  return kinds.filter(({ phase }) => phase !== 'trigger' || (place === 'start' && !hasTrigger))
}

/** True if an edge to the node would close a circle. */
export function leadsBack(definition: Definition, from: string, to: string): boolean {
  return from === to || ancestorsOf(definition, from).has(to)
}
