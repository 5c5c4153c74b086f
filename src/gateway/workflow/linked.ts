import { linkTemplate } from '../../base/expression/template.ts'
import { isPlain, type Plain } from '../../base/json/plain.ts'
import { NODE_RUNS } from '../../nodes/runs.ts'
import type { PlanFragment } from '../../snapshot/plan.ts'
import { keptIn } from '../contract/parsed-contracts.ts'
import type { Routed } from '../exchange.ts'
import type { LinkedNode, LinkedPlan } from './linked-plan.ts'
import { needsBody, tailsOf } from './tails.ts'
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
