import { z } from 'zod'
import { NOUNS } from '../../model/resource-types.ts'
import { type WorkflowDefinition, WorkflowSpec } from '../../model/workflow/workflow.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { nodeDestinations, nodeRefs } from './destinations.ts'
import { findingsOf } from './findings.ts'
import { checkShared } from './of-proxy.ts'

const WARNINGS_MAX = 50

export const workflowKind: Kind<'workflows'> = {
  type: 'workflows',
  noun: NOUNS.workflows,
  prefix: 'wfl',
  group: 'manage_workflows',
  about: 'A workflow answers a proxy from several steps instead of one upstream.',
  tools: 'Workflows: graphs of nodes that answer calls of a proxy. Tests them.',
  example: { name: 'Checked order' },
  spec: WorkflowSpec,
  view: viewSchema(WorkflowSpec, {
    used_by: z
      .array(z.string())
      .optional()
      .describe(
        'Proxies, such as orders:get-order, and workflows, such as workflows/checks. Shown by get and list',
      ),
  }),
  columns: ['slug', 'name', 'used_by', 'revision', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    definition: ['definition'],
  },
  refs: nodeRefs('definition'),
  staged: false,
  filters: {},
  current: async (workflows, { reader }) => {
    const users = await Promise.all(workflows.map(({ id }) => reader.usersOf(id)))
    const slugs = await reader.slugs(users.flat().flatMap(({ parent }) => parent ?? []))
    const nameOf = ({ parent, slug }: Resource): string =>
      parent === null ? `workflows/${slug}` : `${slugs.get(parent)}:${slug}`
    return new Map(workflows.map(({ id }, index) => [id, { used_by: users[index]!.map(nameOf) }]))
  },
  ...nodeDestinations('definition'),
  check: checkShared,
  warn: async ({ spec }, context) => {
    const findings = await findingsOf(spec['definition'] as WorkflowDefinition, context)
    return findings
      .slice(0, WARNINGS_MAX)
      .map(({ pointer, message }) => ({ pointer: `/definition${pointer}`, reason: message }))
  },
}

export const workflowOperations = standardOf(workflowKind, refuseUsed)
