import { z } from 'zod'
import { ownedText } from '../../base/memory/bytes.ts'
import { refuse } from '../../base/refusal.ts'
import { confidential, refersTo, unit } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { type LiveTrial, NodeMock, type RequestFixture } from '../../model/workflow/trial.ts'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { FromCapture, GivenRequest, requestOf } from '../captures/captures.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, ONCE } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { refuseCredentials } from '../requests/replay.ts'
import { demandDestinations } from './destinations.ts'
import { workflowKind } from './kind.ts'
import { runTest, type TestResult } from './saved-tests.ts'
import { mockFault, planOf, runTrial, Tried, triedOf } from './trial.ts'
import { definitionToRun } from './validate.ts'

const MOCKS_MAX = 200

export const testWorkflow = define({
  resource: 'workflows',
  action: 'test',
  effect: 'act',
  without: ONCE,
  tool: 'test_workflow',
  group: workflowKind.group,
  summary: 'Run a workflow once with a given request, without effects unless live is set; stores nothing',
  input: z.strictObject({
    definition: WorkflowDefinition.optional().describe('A definition that is not stored'),
    workflow: Ref.optional(),
    proxy: Ref.optional().describe(
      'A proxy, such as orders:get-order. With live, can be combined with definition',
    ),
    request: GivenRequest,
    capture: FromCapture,
    mocks: z
      .record(z.string().max(64), NodeMock)
      .refine((mocks) => Object.keys(mocks).length <= MOCKS_MAX, `at most ${MOCKS_MAX}`)
      .default({})
      .describe('Results by node id. These nodes do not run'),
    live: z
      .boolean()
      .default(false)
      .describe(
        'Make a real request to the published proxy, with real calls. Needs workflows:execute, and client and profile in request',
      ),
  }),
  output: Tried.extend({
    request_id: z
      .string()
      .meta(refersTo('records'))
      .nullable()
      .describe('Id of the request record of a live run'),
  }),
  permission: 'workflows:test',
  refuses: ['not_found', 'configuration_invalid', 'upstream_timeout', 'not_ready', 'idempotency_conflict'],
  columns: ['status', 'code', 'reason', 'duration_ms', 'nodes.node', 'nodes.handle', 'nodes.source'],
  subject: ({ workflow }) => ({ type: workflowKind.noun, id: null, slug: workflow ?? null }),
  prepare: async (input, context): Promise<z.output<typeof Tried> & { request_id: string | null }> => {
    const { mocks } = input
    const request = await requestOf(input, context)
    const live = input.live ? await toLive({ proxy: input.proxy, request }, context) : null
    const { definition: given } = input
    const definition = await definitionToRun(
      input.live && given !== undefined ? { definition: given } : input,
      context,
    )
    refuseMocks(mocks, definition)
    if (live !== null && input.definition !== undefined) await demandDestinations(definition, context)
    const plan = await planOf(definition, context)
    const answer = await runTrial({ plan, mocks, request, live }, context)
    return { ...triedOf(answer), request_id: live === null ? null : context.via.requestId }
  },
  handle: async (tried, { change }) => {
    const kind = tried.request_id === null ? 'A run without effects' : 'A live run'
    change.finding = `${kind} was answered ${tried.status}.`
    return tried
  },
})

function refuseMocks(mocks: Readonly<Record<string, NodeMock>>, definition: WorkflowDefinition): void {
  const fault = mockFault(mocks, definition)
  if (fault !== null)
    throw refuse('input_invalid', {
      detail: `mocks.${fault.node}: ${fault.reason}.`,
      errors: [{ pointer: `/mocks/${fault.node}`, reason: fault.reason }],
    })
}

/** Refuses what cannot be asked for in the place of the caller. */
async function toLive(
  { proxy: ref, request }: { readonly proxy?: string | undefined; readonly request: RequestFixture },
  context: OperationContext,
): Promise<LiveTrial> {
  context.require('workflows:execute')
  const missing = ref === undefined ? 'proxy' : (['client', 'profile'] as const).find((one) => !request[one])
  if (missing !== undefined) {
    const pointer = missing === 'proxy' ? '/proxy' : `/request/${missing}`
    throw refuse('input_invalid', {
      detail: `A live run is a request to a proxy by a profile: give ${pointer.slice(1).replace('/', '.')}.`,
      errors: [{ pointer, reason: 'required with live' }],
    })
  }
  const proxy = await getRef(context.reader, 'proxies', ref!)
  await context.demand('workflows:execute', proxy)
  const collection = (await context.whole.byId('collections', proxy.parent!))!
  refuseUnpublished(proxy, collection)
  const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`)
  refuseCredentials(lines)
  const { body } = request
  const isData = typeof body !== 'string' && body !== null
  const hasType = Object.keys(request.headers).some((name) => name.toLowerCase() === 'content-type')
  const all = isData && !hasType ? [...lines, 'content-type: application/json'] : lines
  const query = new URLSearchParams(
    Object.entries(request.query).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, one]),
    ),
  ).toString()
  return {
    proxy: proxy.id,
    user: context.principal.type === 'user' ? context.principal.id : '',
    host: (collection.spec['hosts'] as readonly string[])[0] ?? '',
    target: query === '' ? request.path : `${request.path}?${query}`,
    fields: all.map((line) => `${headerLine(line)}\r\n`).join(''),
    body: body === null ? null : ownedText(isData ? JSON.stringify(body) : body),
  }
}

/** Refuses with input_invalid what would be more than one line. */
function headerLine(line: string): string {
  if (!/[\r\n\0]/.test(line)) return line
  throw refuse('input_invalid', {
    detail: 'A header has a line break.',
    errors: [{ pointer: '/request/headers', reason: 'no line breaks' }],
  })
}

function refuseUnpublished(proxy: Resource, collection: Resource): void {
  const { status, workflow } = proxy.spec
  const isServed = status === 'published' && collection.spec['status'] === 'published'
  if (isServed && workflow !== null && workflow !== undefined) return
  throw refuse('configuration_invalid', {
    detail: `"${proxy.slug}" is not a published proxy with a workflow, so it cannot run live.`,
    errors: [{ pointer: '/proxy', reason: 'not published, or without a workflow' }],
  })
}

const Value = confidential('traffic', z.unknown())
const Results = z.object({
  passed: z.boolean().describe('True if all tests passed'),
  tests: z.array(
    z.object({
      name: z.string(),
      gate: z.boolean(),
      passed: z.boolean(),
      failures: z.array(
        z.object({
          assertion: z.string().describe('Such as status, body/order or branch check'),
          expected: Value,
          actual: Value,
        }),
      ),
      reason: z.string().nullable().describe('Cause of a failed run'),
      duration_ms: z.number().meta(unit('ms')),
    }),
  ),
})

export const runWorkflowTests = define({
  resource: 'workflows',
  action: 'run_tests',
  effect: 'act',
  without: ONCE,
  tool: 'run_workflow_tests',
  group: workflowKind.group,
  summary: 'Run the tests that are saved with a workflow, without effects',
  input: z.strictObject({
    definition: WorkflowDefinition.optional().describe('A definition that is not stored, with tests'),
    workflow: Ref.optional(),
    proxy: Ref.optional().describe('A proxy, such as orders:get-order'),
    test: z.string().max(100).optional().describe('Name of one test'),
  }),
  output: Results,
  permission: 'workflows:test',
  refuses: ['not_found', 'configuration_invalid', 'upstream_timeout', 'not_ready', 'idempotency_conflict'],
  columns: ['tests.name', 'tests.passed', 'tests.gate', 'tests.failures.assertion', 'tests.duration_ms'],
  fails: ({ passed }) => !passed,
  subject: ({ workflow }) => ({ type: workflowKind.noun, id: null, slug: workflow ?? null }),
  prepare: async ({ test: name, ...asked }, context): Promise<z.output<typeof Results>> => {
    const definition = await definitionToRun(asked, context)
    const plan = await planOf(definition, context)
    const tests: TestResult[] = []
    for (const test of definition.tests ?? [])
      if (name === undefined || test.name === name) tests.push(await runTest(test, plan, definition, context))
    return { passed: tests.every(({ passed }) => passed), tests }
  },
  handle: async (results, { change }) => {
    const failed = results.tests.filter(({ passed }) => !passed).length
    change.finding = `${failed} of ${results.tests.length} tests failed.`
    return results
  },
})
