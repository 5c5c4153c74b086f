import type { Program } from '../../base/expression/expression.ts'
import { linkTemplate, type Template } from '../../base/expression/template.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { NODE_RUNS } from '../../nodes/runs.ts'
import type { PlanFragment, PlanNode } from '../../snapshot/plan.ts'
import { keptIn } from '../contract/parsed-contracts.ts'
import type { Routed } from '../exchange.ts'
import type { LinkedNode, LinkedPlan } from './linked-plan.ts'
import { entryHead } from './trace.ts'

const plans = new WeakMap<PlanFragment, LinkedPlan>()

/** The workflow of a proxy; null for one that cannot be run. */
export function linkedPlanOf(exchange: Routed): LinkedPlan | null {
  const { workflow } = exchange.proxy.fragment
  return typeof workflow === 'string'
    ? linkedShared(exchange, workflow)
    : linkedOrNull(workflow ?? null, exchange)
}

/** A shared workflow, as it is when the request began; null for one that cannot be run. */
export function linkedShared(exchange: Routed, id: string): LinkedPlan | null {
  return linkedOrNull(exchange.snapshot.workflows.get(id)?.plan ?? null, exchange)
}

function linkedOrNull(plan: PlanFragment | null, { lane }: Routed): LinkedPlan | null {
  try {
    return plan === null ? null : linkedPlan(plan)
  } catch (error) {
    lane.fault(error)
    return null
  }
}

/** The linked form of a plan, made when a thread first runs it and kept for as long as the plan. @throws RangeError */
export function linkedPlan(plan: PlanFragment): LinkedPlan {
  return keptIn(plans, plan, () => linkPlan(plan))
}

function linkPlan(plan: PlanFragment): LinkedPlan {
  const { nodes } = plan
  const tails = tailsOf(plan)
  const names = nodes.map(({ id }) => id)
  const edges = nodes.map(() => 0)
  for (const { ways } of nodes) for (const to of Object.values(ways).flat()) edges[to]!++
  return {
    needsBody: needsBody(plan, tails),
    nodes: nodes.map((node, place): LinkedNode => {
      const run = NODE_RUNS.get(node.type)
      if (run === undefined) throw new RangeError(`nodes of the type ${node.type} cannot be run`)
      const { fill } = linkTemplate(node.inputs, names)
      const ways = Object.entries(node.ways)
      return {
        node,
        head: entryHead(node.id, node.type),
        execute: run.link({ ...node.config }),
        join: run.joins?.({ ...node.config }) ?? null,
        // The inputs of a node are an object
        inputs: (values, ambient) => asPlain(fill(values, ambient)),
        ways,
        edges: edges[place]!,
        onward: ways.map(([handle]) => handle).find((handle) => handle !== 'error') ?? 'default',
        isTail: tails.has(place),
      }
    }),
  }
}

function asPlain(value: unknown): Plain {
  return isPlain(value) ? value : {}
}

// What a plan does with bodies, found out when it is linked.
//
// A node that calls the upstream, and whose whole answer a response node gives the caller, is a tail: the call of the workflow goes on
// as one without a workflow, and bodies stream. Plans with branches side by side have no tails: a run that forwards does nothing else.

const ANSWERED = ['status', 'headers', 'body']

/** Places of the nodes that are tails. */
function tailsOf({ nodes }: PlanFragment): ReadonlySet<number> {
  const tails = new Set<number>()
  if (nodes.some(({ ways }) => Object.values(ways).some((to) => to.length > 1))) return tails
  for (const [place, node] of nodes.entries()) {
    const [next, ...others] = Object.values(node.ways).flat()
    if (next === undefined || others.length > 0 || node.ways['success'] === undefined || !isPlainCall(node))
      continue
    const edges = nodes.flatMap(({ ways }) => Object.values(ways).flat()).filter((to) => to === next)
    const isRead = nodes.some(
      ({ inputs }, at) => at !== next && programsOf(inputs).some((one) => reads(one, node.id)),
    )
    if (edges.length === 1 && !isRead && passesOn(nodes[next]!, node.id)) tails.add(place)
  }
  return tails
}

/** As the caller asked, but for another path. */
function isPlainCall({ type, config, inputs, timeout_ms, retry, on_error }: PlanNode): boolean {
  const isBound = timeout_ms !== undefined || retry !== undefined || on_error !== undefined
  return (
    type === 'proxy_node' &&
    config['method'] === undefined &&
    !isBound &&
    memberNames(inputs).every((name) => name === 'path')
  )
}

/** The response is that of the node, and nothing else. */
function passesOn({ type, inputs }: PlanNode, id: string): boolean {
  if (type !== 'response_node' || !('members' in inputs) || inputs.members.length !== ANSWERED.length)
    return false
  return inputs.members.every(([name, template]) => {
    if (!ANSWERED.includes(name) || !('program' in template)) return false
    const { program } = template
    return (
      program.op === 'member' && program.key === name && program.of.op === 'name' && program.of.name === id
    )
  })
}

/**
 * True where a run may look at the body of the request: an expression reads it, or a node passes it on.
 * @param tails these forward it unread
 */
function needsBody({ nodes }: PlanFragment, tails: ReadonlySet<number>): boolean {
  const trigger = nodes[0]?.id
  return nodes.some(
    ({ type, inputs }, place) =>
      (type === 'proxy_node' && !tails.has(place) && !memberNames(inputs).includes('body')) ||
      programsOf(inputs).some((program) => trigger !== undefined && readsBody(program, trigger)),
  )
}

function memberNames(inputs: Template): readonly string[] {
  if ('members' in inputs) return inputs.members.map(([name]) => name)
  return 'fixed' in inputs && typeof inputs.fixed === 'object' && inputs.fixed !== null
    ? Object.keys(inputs.fixed)
    : []
}

function programsOf(template: Template): readonly Program[] {
  if ('program' in template) return [template.program]
  if ('text' in template) return template.text.filter((part) => typeof part !== 'string')
  if ('list' in template) return template.list.flatMap(programsOf)
  return 'members' in template ? template.members.flatMap(([, inner]) => programsOf(inner)) : []
}

function reads(program: Program, name: string): boolean {
  return (
    (program.op === 'name' && program.name === name) || partsOf(program).some((part) => reads(part, name))
  )
}

/** Anything but a named member of `request` other than `body`. */
function readsBody(program: Program, trigger: string): boolean {
  if (program.op === 'member' || program.op === 'has') {
    const { of, key } = program
    const isOfRequest =
      of.op === 'member' && of.key === 'request' && of.of.op === 'name' && of.of.name === trigger
    if (isOfRequest) return key === 'body'
  }
  if (program.op === 'name') return program.name === trigger
  return partsOf(program).some((part) => readsBody(part, trigger))
}

/** The programs within a program, of whatever kind it is. */
function partsOf(program: Program): readonly Program[] {
  return Object.values(program)
    .flat()
    .filter((part): part is Program => typeof part === 'object' && part !== null && 'op' in part)
}
