import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { confidential, unit } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { WorkflowTrace } from '../../model/workflow/trace.ts'
import { NodeResults } from '../../model/workflow/trial.ts'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { handlesOf, nodeType } from '../../nodes/definitions.ts'
import { readWorkflowTrace } from '../../record/search.ts'
import { FromCapture, GivenRequest, requestOf } from '../captures/captures.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, ONCE } from '../engine/define.ts'
import { resolveRefs } from '../engine/refs.ts'
import { workflowKind } from './kind.ts'
import { nodesOf, planOf, runTrial } from './trial.ts'
import { definitionOf } from './validate.ts'

/** Ids of the nodes around the one that is tried. */
const [START, END] = ['trial_start', 'trial_end']
const SAMPLES_MAX = 50

const TriedNode = z.object({
  ...NodeResults.element.pick({ handle: true, outputs: true, error: true, source: true }).shape,
  duration_ms: z.number().meta(unit('ms')),
  logs: WorkflowTrace.shape.logs,
  inner: NodeResults.describe('Results of nodes of inner workflows'),
})

export const testNode = define({
  resource: 'workflows',
  action: 'test_node',
  effect: 'act',
  without: ONCE,
  tool: 'test_node',
  group: workflowKind.group,
  summary: 'Run one node with sample outputs of the nodes before it, without effects; stores nothing',
  input: z.strictObject({
    type: z.string().max(64).optional().describe('Type of a node that is not stored, such as set_node'),
    config: z.record(z.string().max(128), z.json()).default({}),
    inputs: z.record(z.string().max(128), z.json()).default({}),
    node: z.string().max(64).optional().describe('Id of a node of workflow or proxy, instead of type'),
    workflow: Ref.optional(),
    proxy: Ref.optional(),
    context: confidential('traffic', z.record(z.string().max(64), z.record(z.string(), z.unknown())))
      .refine((samples) => Object.keys(samples).length <= SAMPLES_MAX, `at most ${SAMPLES_MAX}`)
      .default({})
      .describe('Outputs by id of a node, such as {"call":{"body":{"id":7}}}'),
    request: GivenRequest,
    capture: FromCapture,
  }),
  output: TriedNode,
  permission: 'workflows:test',
  refuses: ['not_found', 'configuration_invalid', 'not_ready', 'upstream_timeout', 'idempotency_conflict'],
  columns: ['handle', 'outputs', 'error', 'source', 'duration_ms'],
  subject: ({ workflow }) => ({ type: workflowKind.noun, id: null, slug: workflow ?? null }),
  prepare: async (input, context) => {
    const node = await nodeOf(input, context)
    const request = await requestOf(input, context)
    const type = nodeType(node.type)
    if (type === undefined)
      throw refuse('configuration_invalid', {
        detail: `There is no node "${node.type}".`,
        errors: [{ pointer: '/type', reason: 'list_nodes has the types' }],
      })
    const isTrigger = type.phase === 'trigger'
    const samples = Object.keys(input.context)
    const before = isTrigger ? [] : [START, ...samples]
    const ends = handlesOf(node, type)
    const definition = WorkflowDefinition.parse({
      nodes: [
        ...(isTrigger ? [] : [{ id: START, type: 'http_trigger' }]),
        ...samples.map((id) => ({ id, type: 'set_node', inputs: ofAnyType(input.context[id]!) })),
        node,
        ...(ends.length === 0 ? [] : [{ id: END, type: 'response_node' }]),
      ],
      edges: [
        ...[...before, node.id].slice(1).map((to, index) => ({ from: before[index]!, to })),
        ...ends.map((handle) => ({ from: node.id, handle, to: END })),
      ],
    })
    const mocks = Object.fromEntries(samples.map((id) => [id, { outputs: input.context[id]! }]))
    const plan = await planOf(definition, context)
    const answer = await runTrial({ plan, mocks, request, live: null }, context)
    const results = nodesOf(answer)
    const trace = readWorkflowTrace(answer.trace)
    const own = results.findLast((one) => one.node === node.id && one.within === null)
    const step = trace?.nodes.find((one) => one.node === node.id && one.within === null)
    return {
      handle: step?.handle ?? null,
      outputs: own?.outputs ?? null,
      // An expression of an input has no result of the node
      error: own?.error ?? (step?.error == null ? null : { kind: step.error, message: answer.reason }),
      source: own?.source ?? 'run',
      duration_ms: step?.duration_ms ?? 0,
      logs: trace?.logs ?? [],
      inner: results.filter(({ within }) => within !== null),
    }
  },
  handle: async (tried: z.output<typeof TriedNode>) => tried,
})

/** Inputs under the names of a sample, whose types are not known before they run. */
function ofAnyType(sample: object): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(sample).map((name) => [name, `{{ $.${START}.request.body }}`]))
}

interface Asked {
  readonly type?: string | undefined
  readonly config: object
  readonly inputs: object
  readonly node?: string | undefined
  readonly workflow?: string | undefined
  readonly proxy?: string | undefined
  readonly context: Readonly<Record<string, unknown>>
}

async function nodeOf(asked: Asked, context: OperationContext): Promise<WorkflowDefinition['nodes'][number]> {
  const { type, config, inputs, node: id, workflow, proxy } = asked
  if ((type === undefined) === (id === undefined))
    throw refuse('input_invalid', {
      detail: 'Give the type of a node, or node with workflow or proxy.',
      errors: [{ pointer: '/type', reason: 'either type or node' }],
    })
  if (type !== undefined) {
    let own = 'node'
    while (own in asked.context) own += '_'
    const definition = WorkflowDefinition.parse({ nodes: [{ id: own, type, config, inputs }] })
    const resolved = await resolveRefs(context.reader, workflowKind, { definition }, [])
    return (resolved['definition'] as WorkflowDefinition).nodes[0]!
  }
  const { nodes } = await definitionOf({ workflow, proxy }, context)
  const found = nodes.find((one) => one.id === id)
  if (found !== undefined) return found
  throw refuse('input_invalid', {
    detail: `The workflow has no node "${id}".`,
    errors: [{ pointer: '/node', reason: `there are: ${nodes.map((one) => one.id).join(', ')}` }],
  })
}
