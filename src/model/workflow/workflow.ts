import { z } from 'zod'
import { Description, Duration, jsonValue, Name, Slug, Tags } from '../members.ts'
import { FIXTURE, NodeMock } from './trial.ts'

/** A test that is stored with a definition. */
export const WorkflowTest = z.strictObject({
  name: z.string().min(1).max(100),
  gate: z
    .boolean()
    .default(false)
    .describe('true: if the test fails, publishing and changing the workflow are refused'),
  request: z.strictObject(FIXTURE).prefault({}),
  mocks: z.record(z.string().max(64), NodeMock).default({}),
  expect: z.strictObject({
    status: z.int().min(200).max(599).optional(),
    body: z
      .array(
        z.strictObject({
          pointer: z
            .string()
            .max(500)
            .regex(/^(\/.*)?$/s, 'a JSON pointer, such as /id; empty for the whole body'),
          equals: jsonValue(),
        }),
      )
      .max(50)
      .default([]),
    branches: z
      .record(z.string().max(64), z.string().max(64))
      .default({})
      .describe('Handle at which the run leaves a node, by node id'),
  }),
})
export type WorkflowTest = z.output<typeof WorkflowTest>

const NodeId = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'letters, digits and _, at most 64, not starting with a digit')

const Handle = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'letters, digits, - and _, at most 64')

const Values = z.record(z.string().max(128), jsonValue())

const WorkflowNode = z.strictObject({
  id: NodeId.describe('Names the node in edges and expressions'),
  type: z.string().max(64).describe('Node type; list_nodes shows all'),
  inputs: Values.default({}).describe(
    'Inputs, evaluated in each run, such as {"value":"{{ $.http.request.body }}"}',
  ),
  config: Values.default({}).describe('Fixed settings, the same in every run'),
  timeout: Duration.optional(),
  retry: z
    .strictObject({
      max: z.int().min(1).max(5),
      delay: Duration.default('200ms'),
      on: z.array(z.string().max(32)).max(20).default(['timeout']).describe('timeout, or HTTP status codes'),
    })
    .optional(),
  on_error: z
    .enum(['fail', 'handle', 'fallback'])
    .default('fail')
    .describe('handle: continues at the handle error; fallback: continues with that value'),
  fallback: jsonValue().optional(),
})
export type WorkflowNode = z.output<typeof WorkflowNode>

const WorkflowEdge = z.strictObject({
  from: NodeId,
  handle: Handle.default('default').describe('Handle at which the run continues'),
  to: NodeId,
})
export type WorkflowEdge = z.output<typeof WorkflowEdge>

const NODES_MAX = 200
const TESTS_MAX = 20

/** A graph of nodes. Its form alone: whether it could run is what validation tells. */
export const WorkflowDefinition = z
  .strictObject({
    nodes: z.array(WorkflowNode).max(NODES_MAX).default([]),
    edges: z.array(WorkflowEdge).max(1000).default([]),
    tests: z
      .array(WorkflowTest)
      .max(TESTS_MAX)
      .refine((tests) => new Set(tests.map(({ name }) => name)).size === tests.length, 'names differ')
      .optional(),
  })
  .superRefine(({ nodes }, context) => {
    const seen = new Set<string>()
    for (const [index, { id }] of nodes.entries()) {
      if (seen.has(id))
        context.addIssue({
          code: 'custom',
          path: ['nodes', index, 'id'],
          message: `there are two nodes "${id}"`,
        })
      seen.add(id)
    }
  })
export type WorkflowDefinition = z.output<typeof WorkflowDefinition>

/** A workflow that several proxies may refer to. */
export const WorkflowSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  definition: WorkflowDefinition.prefault({}).describe('May contain errors, which are returned as warnings'),
})
export type WorkflowSpec = z.output<typeof WorkflowSpec>

/** What validation finds. */
const FINDINGS = [
  'unknown_node_type',
  'bad_config',
  'bad_input',
  'bad_expression',
  'type_mismatch',
  'unknown_reference',
  'cycle',
  'unreachable_node',
  'missing_trigger',
  'missing_response',
  'unhandled_handle',
  'parallel_without_join',
  'secret_literal',
  'missing_credential',
  'missing_driver',
] as const

export const Finding = z.object({
  code: z.enum(FINDINGS),
  severity: z.enum(['error', 'warning']),
  pointer: z.string().describe('JSON pointer into the definition'),
  node_id: z.string().optional(),
  message: z.string(),
})
export type Finding = z.output<typeof Finding>
