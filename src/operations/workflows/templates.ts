import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { toInputInvalid } from '../../base/json/fault.ts'
import { refuse } from '../../base/refusal.ts'
import { annotatedSchema } from '../../model/annotations.ts'
import { Ref, Slug } from '../../model/members.ts'
import { Finding, WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { NODE_TYPES } from '../../nodes/definitions.ts'
import { PHASES } from '../../nodes/node-type.ts'
import { TEMPLATES } from '../../nodes/templates.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { booleanFilter } from '../engine/lists.ts'
import { getRef } from '../engine/refs.ts'
import { proxyKind } from '../proxies/kind.ts'
import { findingsOf, judgedBy } from './findings.ts'
import { workflowKind } from './kind.ts'
import { setWorkflow } from './proxy-workflow.ts'

const PROXIES_MAX = 100

const Chosen = z.strictObject({
  template: z.enum(TEMPLATES.map(({ name }) => name)),
  parameters: z.record(z.string().max(64), z.json()).default({}),
})

export const listTemplates = define({
  resource: 'workflows',
  action: 'templates',
  effect: 'read',
  tool: 'list_templates',
  group: workflowKind.group,
  summary: 'List templates of workflows and their parameters',
  input: z.strictObject({}),
  output: z.object({
    items: z.array(
      z.object({
        template: z.string(),
        summary: z.string(),
        parameters: z.record(z.string(), z.json()).describe('JSON Schema'),
      }),
    ),
  }),
  permission: 'workflows:read',
  refuses: [],
  columns: ['template', 'summary'],
  subject: () => ({ type: workflowKind.noun, id: null, slug: null }),
  handle: async () => ({
    items: TEMPLATES.map(({ name, summary, parameters }) => ({
      template: name,
      summary,
      parameters: toSchema(parameters),
    })),
  }),
})

export const expandTemplate = define({
  resource: 'workflows',
  action: 'expand_template',
  effect: 'read',
  posted: true,
  tool: 'expand_template',
  group: workflowKind.group,
  summary: 'Return the definition that a template creates from its parameters; stores nothing',
  input: Chosen,
  output: z.object({
    definition: WorkflowDefinition,
    findings: z.array(Finding).describe('As validate_workflow returns them'),
  }),
  permission: 'workflows:read',
  refuses: [],
  columns: ['definition', 'findings'],
  subject: () => ({ type: workflowKind.noun, id: null, slug: null }),
  handle: async (chosen, context) => {
    const definition = definitionFrom(chosen)
    const { findings } = await judgedBy(definition, context, null, true)
    return { definition, findings }
  },
})

export const applyTemplate = define({
  resource: 'proxies',
  action: 'apply_template',
  effect: 'update',
  tool: 'apply_template',
  group: workflowKind.group,
  summary: 'Set a workflow from a template for several proxies: all of them or none',
  input: Chosen.extend({ proxies: z.array(Ref).min(1).max(PROXIES_MAX) }),
  output: z.object({
    proxies: z.array(z.object({ id: z.string(), slug: Slug, revision: z.int() })),
    findings: z.array(Finding),
  }),
  permission: 'proxies:update',
  refuses: CHANGE_REFUSES,
  columns: ['proxies.slug', 'proxies.revision'],
  subject: () => ({ type: proxyKind.noun, id: null, slug: null }),
  handle: async ({ proxies, ...chosen }, context) => {
    const definition = definitionFrom(chosen)
    const found: Resource<'proxies'>[] = []
    for (const ref of proxies) found.push(await getRef(context.reader, 'proxies', ref))
    // Each has an entry of its own in the trail
    context.change.planId = newId('pln', context.clock)
    const stored: Resource[] = []
    for (const proxy of found) {
      await context.demand('proxies:update', proxy)
      stored.push(await setWorkflow(proxy, definition, context))
    }
    return {
      proxies: stored.map(({ id, slug, revision }) => ({ id, slug, revision })),
      findings: await findingsOf(definition, context),
    }
  },
})

/** Refuses with input_invalid. */
function definitionFrom({ template, parameters }: z.output<typeof Chosen>): WorkflowDefinition {
  const chosen = TEMPLATES.find(({ name }) => name === template)!
  const parsed = chosen.parameters.safeParse(parameters)
  if (!parsed.success) throw underParameters(toInputInvalid(parsed.error))
  return chosen.build(parsed.data)
}

function underParameters({ message, facts }: ReturnType<typeof toInputInvalid>) {
  const errors = (facts.errors ?? []).map(({ pointer, reason }) => ({
    pointer: `/parameters${pointer}`,
    reason,
  }))
  return refuse('input_invalid', { detail: `/parameters${message}`, errors })
}

const Names = z.record(z.string(), z.string())

export const listNodes = define({
  resource: 'workflows',
  action: 'nodes',
  effect: 'read',
  tool: 'list_nodes',
  group: workflowKind.group,
  summary: 'List the node types for workflows',
  input: z.strictObject({
    phase: z.enum(PHASES).optional(),
    type: z.string().max(64).optional().describe('One type, such as proxy_node'),
    schemas: booleanFilter
      .optional()
      .describe('Include the JSON Schema of config. With type, it is always included'),
  }),
  output: z.object({
    items: z.array(
      z.object({
        type: z.string(),
        phase: z.enum(PHASES),
        summary: z.string(),
        inputs: Names.describe('Evaluated for each run; a name that ends with ? is optional; * accepts any'),
        outputs: Names,
        handles: z.array(z.string()).describe('Handles of the node'),
        config: z.record(z.string(), z.json()).optional().describe('JSON Schema'),
      }),
    ),
  }),
  permission: 'workflows:read',
  refuses: [],
  columns: ['type', 'phase', 'summary', 'handles'],
  subject: () => ({ type: workflowKind.noun, id: null, slug: null }),
  handle: async ({ phase, type, schemas }) => ({
    items: NODE_TYPES.filter(
      (one) => (phase === undefined || one.phase === phase) && (type === undefined || one.name === type),
    ).map(({ name, phase, summary, inputs, outputs, handles, config }) => ({
      type: name,
      phase,
      summary,
      inputs,
      outputs,
      handles: [...handles],
      ...(schemas === true || type !== undefined ? { config: toSchema(config) } : {}),
    })),
  }),
})

/** A schema of ours as plain JSON. */
function toSchema(schema: z.ZodType) {
  const json = annotatedSchema(schema, { io: 'input', unrepresentable: 'any' })
  return JSON.parse(JSON.stringify(json)) as Record<string, z.output<ReturnType<typeof z.json>>>
}
