import { pointerTo } from '../base/json/storable.ts'
import type { Finding, WorkflowDefinition, WorkflowEdge, WorkflowNode } from '../model/workflow/workflow.ts'
import { handlesOf, nodeType } from './definitions.ts'

/** What is wrong with the graph as a whole. */
export function graphFindings(definition: WorkflowDefinition): Finding[] {
  const cycle = cycleFindings(definition)
  return [
    ...triggerFindings(definition),
    ...cycle,
    ...reachFindings(definition),
    ...handleFindings(definition),
    // A way that leads to itself is met again and again.
    ...(cycle.length > 0 ? [] : parallelFindings(definition)),
  ]
}

const phaseOf = ({ type }: WorkflowNode) => nodeType(type)?.phase

function triggerFindings({ nodes }: WorkflowDefinition): Finding[] {
  const triggers = nodes.flatMap((node, index) => (phaseOf(node) === 'trigger' ? [{ node, index }] : []))
  const finding = (pointer: string, message: string): Finding => ({
    code: 'missing_trigger',
    severity: 'error',
    pointer,
    message,
  })
  if (triggers.length === 0) return [finding('/nodes', 'a workflow starts at one trigger')]
  return triggers.slice(1).map(({ node, index }) => ({
    ...finding(pointerTo('/nodes', index), 'there is a trigger already'),
    node_id: node.id,
  }))
}

/** Each node that lies on the way to itself, once. */
function cycleFindings({ nodes, edges }: WorkflowDefinition): Finding[] {
  const incoming = new Map(nodes.map(({ id }) => [id, 0]))
  const onward = Map.groupBy(inside(nodes, edges), ({ from }) => from)
  for (const { to } of inside(nodes, edges)) incoming.set(to, incoming.get(to)! + 1)
  const free = nodes.filter(({ id }) => incoming.get(id) === 0).map(({ id }) => id)
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    for (const { to } of onward.get(id) ?? []) {
      const left = incoming.get(to)! - 1
      incoming.set(to, left)
      if (left === 0) free.push(to)
    }
  }
  const [first] = nodes.filter(({ id }) => incoming.get(id)! > 0)
  if (first === undefined) return []
  const stuck = nodes.filter(({ id }) => incoming.get(id)! > 0).map(({ id }) => id)
  const index = nodes.indexOf(first)
  return [
    {
      code: 'cycle',
      severity: 'error',
      pointer: pointerTo('/nodes', index),
      node_id: first.id,
      message: `the graph has a cycle: among ${stuck.slice(0, 10).join(', ')}`,
    },
  ]
}

function reachFindings({ nodes, edges }: WorkflowDefinition): Finding[] {
  const starts = nodes.filter((node) => phaseOf(node) === 'trigger').map(({ id }) => id)
  if (starts.length === 0) return []
  const reached = reachable(
    starts,
    Map.groupBy(inside(nodes, edges), ({ from }) => from),
  )
  const findings = nodes.flatMap((node, index): Finding[] =>
    reached.has(node.id)
      ? []
      : [
          {
            code: 'unreachable_node',
            severity: 'warning',
            pointer: pointerTo('/nodes', index),
            node_id: node.id,
            message: 'no edge leads to it',
          },
        ],
  )
  const isAnswered = nodes.some((node) => phaseOf(node) === 'end' && reached.has(node.id))
  if (!isAnswered)
    findings.push({
      code: 'missing_response',
      severity: 'error',
      pointer: '/nodes',
      message: 'a run has to be answered by a response_node',
    })
  return findings
}

/** Ways out of a node that lead nowhere. */
function handleFindings({ nodes, edges }: WorkflowDefinition): Finding[] {
  const used = new Set(edges.map(({ from, handle }) => `${from} ${handle}`))
  return nodes.flatMap((node, index) => {
    const type = nodeType(node.type)
    if (type === undefined) return []
    return handlesOf(node, type)
      .filter((handle) => handle !== 'error' || node.on_error === 'handle')
      .filter((handle) => !used.has(`${node.id} ${handle}`))
      .map(
        (handle): Finding => ({
          code: 'unhandled_handle',
          severity: 'warning',
          pointer: pointerTo('/nodes', index),
          node_id: node.id,
          message: `no edge leaves it by ${handle}`,
        }),
      )
  })
}

/** Ways that one handle opens side by side may meet in a join_node alone. */
function parallelFindings({ nodes, edges }: WorkflowDefinition): Finding[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const known = inside(nodes, edges)
  const isJoin = (id: string): boolean => byId.get(id)!.type === 'join_node'
  // What a join_node leads to is one way again.
  const onward = Map.groupBy(
    known.filter(({ from }) => !isJoin(from)),
    ({ from }) => from,
  )
  const incoming = Map.groupBy(known, ({ to }) => to)
  const met = new Set<string>()
  for (const forks of Map.groupBy(known, ({ from, handle }) => `${from} ${handle}`).values()) {
    const ways = forks.map(({ to }) => reachable([to], onward))
    if (ways.length < 2) continue
    for (const { id } of nodes)
      if (!isJoin(id) && (incoming.get(id)?.length ?? 0) > 1 && ways.filter((way) => way.has(id)).length > 1)
        met.add(id)
  }
  return nodes.flatMap(({ id }, index): Finding[] =>
    met.has(id)
      ? [
          {
            code: 'parallel_without_join',
            severity: 'error',
            pointer: pointerTo('/nodes', index),
            node_id: id,
            message: 'parallel branches meet here; put a join_node before it',
          },
        ]
      : [],
  )
}

/** For each node, those that lie on a way to it. */
export function ancestorsOf({ nodes, edges }: WorkflowDefinition): ReadonlyMap<string, ReadonlySet<string>> {
  const backward = Map.groupBy(
    inside(nodes, edges).map(({ from, to, handle }) => ({ from: to, to: from, handle })),
    ({ from }) => from,
  )
  return new Map(
    nodes.map(({ id }) => {
      const before = (backward.get(id) ?? []).map(({ to }) => to)
      return [id, reachable(before, backward)]
    }),
  )
}

function inside(nodes: readonly WorkflowNode[], edges: readonly WorkflowEdge[]): WorkflowEdge[] {
  const ids = new Set(nodes.map(({ id }) => id))
  return edges.filter(({ from, to }) => ids.has(from) && ids.has(to))
}

function reachable(
  starts: readonly string[],
  onward: ReadonlyMap<string, readonly WorkflowEdge[]>,
): ReadonlySet<string> {
  const reached = new Set(starts)
  for (const id of reached) for (const { to } of onward.get(id) ?? []) reached.add(to)
  return reached
}
