/** What the operations that try workflows share. */

import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { confidential, unit } from '../../model/annotations.ts'
import { WorkflowTrace } from '../../model/workflow/trace.ts'
import {
  type NodeMock,
  NodeResults,
  type RequestFixture,
  type TrialAnswer,
  type TrialAsked,
} from '../../model/workflow/trial.ts'
import type { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { handlesOf, nodeType } from '../../nodes/definitions.ts'
import { readWorkflowTrace } from '../../record/search.ts'
import { compilePlan } from '../../snapshot/compile/workflow.ts'
import type { PlanFragment } from '../../snapshot/plan.ts'
import type { OperationContext } from '../engine/context.ts'
import { refuseFaults } from './findings.ts'

/** What one run came to. */
export const Tried = z.object({
  status: z.int(),
  code: z.string().nullable().describe('Problem code of a failed or refused run'),
  reason: z.string().nullable().describe('Cause that callers do not see'),
  headers: confidential('traffic', z.record(z.string(), z.unknown())),
  body: confidential('traffic', z.unknown()).describe('JSON, text, or base64; at most 64 KiB'),
  body_encoding: z.enum(['json', 'text', 'base64']),
  body_bytes: z.int().meta(unit('bytes')).describe('Size of the whole body'),
  duration_ms: z.number().meta(unit('ms')),
  nodes: NodeResults.describe('Executions in the order in which they ended, with outputs'),
  trace: WorkflowTrace.nullable(),
})

/** The plan of a definition. Refuses with configuration_invalid what has faults. */
export async function planOf(
  definition: WorkflowDefinition,
  context: OperationContext,
): Promise<PlanFragment> {
  await refuseFaults(definition, '/definition', 'A workflow must be free of errors to be run', context)
  // What refuses faults has looked at the same
  return compilePlan(definition)!
}

interface MockFault {
  readonly node: string
  readonly reason: string
}

/** The first mock for no node, for one that cannot be mocked, or with a handle that its node has not; null for none. */
export function mockFault(
  mocks: Readonly<Record<string, NodeMock>>,
  { nodes }: WorkflowDefinition,
): MockFault | null {
  for (const [id, { handle }] of Object.entries(mocks)) {
    const node = nodes.find((one) => one.id === id)
    const type = node && nodeType(node.type)
    if (type === undefined) return { node: id, reason: `there is no node "${id}"` }
    const handles = handlesOf(node!, type)
    if (handles.length === 0) return { node: id, reason: `${type.name} ends the run, so it cannot be mocked` }
    if (handle !== undefined && !handles.includes(handle))
      return { node: id, reason: `${type.name} is left by ${handles.join(', ')}` }
  }
  return null
}

interface Given {
  readonly plan: PlanFragment
  readonly mocks: Readonly<Record<string, NodeMock>>
  readonly request: RequestFixture
  readonly live: TrialAsked['live']
}

/** Has a gateway thread run the plan. Refuses with not_ready, and a live trial with upstream_timeout. */
export async function runTrial(given: Given, context: OperationContext): Promise<TrialAnswer> {
  const { plan, mocks, live } = given
  const { client, profile, ...request } = given.request
  const requestId = context.via.requestId
  let answer: TrialAnswer | null
  const asked = {
    plan,
    mocks,
    request,
    requestId,
    client: await named('clients', client, context),
    profile: await named('profiles', profile, context),
    live,
  }
  try {
    answer = await context.trials.run(asked)
  } catch (error) {
    throw refuse('not_ready', {
      detail: `The workflow cannot be tested now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
  if (answer !== null) return answer
  throw refuse('upstream_timeout', {
    detail: `The run was cancelled because no complete response arrived in time; see the record ${requestId}.`,
  })
}

async function named(type: 'clients' | 'profiles', ref: string | undefined, context: OperationContext) {
  if (ref === undefined) return { id: '', slug: '' }
  const { id, slug } = await context.find(type, ref)
  return { id, slug }
}

export function nodesOf({ steps }: Pick<TrialAnswer, 'steps'>): NodeResults {
  return steps.map(({ node, within, source, handle, outputs, error }) => ({
    node,
    within: within || null,
    source,
    handle,
    outputs: outputs === null ? null : JSON.parse(outputs),
    error,
  }))
}

export function triedOf(answer: TrialAnswer): z.output<typeof Tried> {
  const { status, code, reason, headers, body, bodyBytes, durationMs, trace } = answer
  return {
    status,
    code,
    reason: reason || null,
    headers: { ...headers },
    ...shownBody(body, bodyBytes, String(headers['content-type'] ?? '')),
    body_bytes: bodyBytes,
    duration_ms: Math.round(durationMs * 1000) / 1000,
    nodes: nodesOf(answer),
    trace: readWorkflowTrace(trace),
  }
}

function shownBody(bytes: Uint8Array, wholeBytes: number, contentType: string) {
  const isCut = bytes.length < wholeBytes
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut })
  } catch {
    return { body: Buffer.from(bytes).toString('base64'), body_encoding: 'base64' as const }
  }
  if (!isCut && /[/+]json\b/i.test(contentType))
    try {
      return { body: JSON.parse(text) as unknown, body_encoding: 'json' as const }
    } catch {
      // Shown as the text that it is
    }
  return { body: text, body_encoding: 'text' as const }
}
