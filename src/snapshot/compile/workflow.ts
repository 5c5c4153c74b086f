/** Compiles workflow definitions to plans. Pure: the same definition gives the same plan. */

import { toMs } from '../../base/clock.ts'
import { contentHash } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import { UpstreamSpec } from '../../model/api/upstream.ts'
import { valueReader } from '../../model/workflow/expression.ts'
import { readTemplate } from '../../model/workflow/template.ts'
import { WorkflowDefinition, type WorkflowNode, type WorkflowSpec } from '../../model/workflow/workflow.ts'
import { nodeType } from '../../nodes/definitions.ts'
import { variablesOf } from '../../nodes/expressions.ts'
import { isRunnable } from '../../nodes/validate.ts'
import type { PlanFragment, PlanNode, WorkflowFragment } from '../plan.ts'
import type { Desired } from './compile.ts'
import { compileUpstream } from './upstream.ts'

export function compileWorkflow({ id, slug, spec }: Desired<WorkflowSpec>): WorkflowFragment {
  return { kind: 'workflow', id, slug, plan: compilePlan(spec.definition) }
}

/** Workflow of a published proxy: id of the one that it shares, or its own. @throws RangeError for a definition with faults */
export function compileOwnWorkflow(workflow: NonNullable<ProxySpec['workflow']>): string | PlanFragment {
  if (typeof workflow === 'string') return workflow
  const plan = compilePlan(WorkflowDefinition.parse(workflow))
  if (plan === null) throw new RangeError('its workflow has faults')
  return plan
}

/** By the hash of a definition. They are judged in a thread apart before they are compiled, and judging them here would take as long. */
const runnable = new Lru<string, boolean>(100)

/** Notes what {@link isRunnable} says of a definition. */
export function rememberRunnable(definition: WorkflowDefinition, is: boolean): void {
  runnable.set(contentHash(definition), is)
}

/** The plan of a definition; null for a definition with faults. */
export function compilePlan(definition: WorkflowDefinition): PlanFragment | null {
  if (!(runnable.get(contentHash(definition)) ?? isRunnable(definition))) return null
  const nodes = definition.nodes.toSorted((a, b) => Number(isTrigger(b)) - Number(isTrigger(a)))
  const places = new Map(nodes.map(({ id }, place) => [id, place]))
  const read = valueReader(variablesOf(definition))
  return {
    nodes: nodes.map((node): PlanNode => {
      const { id, type, inputs, timeout, retry, on_error, fallback } = node
      const edges = definition.edges.filter(({ from }) => from === id)
      const ways = Map.groupBy(edges, ({ handle }) => handle)
      return {
        id,
        type,
        config: configOf(node),
        inputs: readTemplate(inputs, read).template,
        ways: Object.fromEntries(
          [...ways].map(([handle, all]) => [handle, all.map(({ to }) => places.get(to)!)]),
        ),
        ...(timeout === undefined ? {} : { timeout_ms: toMs(timeout) }),
        ...(retry === undefined
          ? {}
          : { retry: { max: retry.max, delay_ms: toMs(retry.delay), on: retry.on } }),
        ...(on_error === 'fail' ? {} : { on_error }),
        ...(on_error === 'fallback' ? { fallback: fallback ?? null } : {}),
        ...serverOf(node),
      }
    }),
  }
}

function isTrigger({ type }: WorkflowNode): boolean {
  return nodeType(type)?.phase === 'trigger'
}

/** Nothing for a node that asks none but the upstream. */
function serverOf({ type, config }: WorkflowNode): Pick<PlanNode, 'server'> {
  const destination = nodeType(type)!.destination?.(config) ?? null
  if (destination === null || destination.member === 'host') return {}
  const { url, credential, tls } = destination
  const { origin, pathname } = new URL(url)
  const upstream = compileUpstream(UpstreamSpec.parse({ targets: [{ url: origin }], tls }))
  return { server: { upstream, path: pathname, credential } }
}

/** Settings with all defaults. */
function configOf({ type, config }: WorkflowNode): Readonly<Record<string, unknown>> {
  const parsed = nodeType(type)!.config.parse(config)
  return isPlain(parsed) ? parsed : {}
}
