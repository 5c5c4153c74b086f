import { z } from 'zod'
import { grantsOf } from '../../access/identities.ts'
import type { Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { DOORS } from '../../base/doors.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { APPROVABLE, ApprovalRule } from '../../model/access/approval.ts'
import { NewHosts } from '../../model/access/host.ts'
import { ShownSetting, Time } from '../../model/members.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { asGrant, idsIn, readStoredSettings, type StoredSettings } from '../engine/approval-rules.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { diffOf } from '../engine/diff.ts'
import { Warning } from '../engine/kind.ts'
import { findRef } from '../engine/refs.ts'
import { Connect } from '../mcp-endpoints/list.ts'
import { APPLICATION_NAMES, snippetsFor } from '../mcp-endpoints/snippets.ts'

const RULES_MAX = 100

/** The settings that change while the process runs. */
export const RunSettings = z.object({
  revision: z.int(),
  approvals: z.array(ApprovalRule).describe('Approval rules for writes'),
  new_hosts: NewHosts,
  updated_at: Time.nullable(),
  updated_by: z.string().nullable(),
})

export const updateSettings = define({
  resource: 'settings',
  action: 'update',
  effect: 'update',
  tool: 'update_settings',
  group: 'manage_config',
  summary: 'Change the runtime settings: approval rules, and the treatment of new hosts',
  input: z.strictObject({
    approvals: z
      .array(ApprovalRule)
      .max(RULES_MAX)
      .optional()
      .describe('Complete list of approval rules, which replaces the current list; empty: none'),
    new_hosts: NewHosts.optional(),
  }),
  output: RunSettings.extend({ warnings: z.array(Warning).optional() }),
  permission: 'settings:update',
  refuses: ['not_found', 'revision_conflict', 'configuration_invalid', 'idempotency_conflict'],
  columns: ['revision', 'approvals', 'new_hosts', 'updated_at', 'updated_by'],
  unscoped: true,
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async ({ approvals: given, new_hosts }, context) => {
    const { change, clock, options, principal, whole } = context
    const before = await readStoredSettings(whole)
    const { expectedRevision: expected } = options
    if (expected !== undefined && expected !== before.revision)
      throw refuse('revision_conflict', {
        detail: `The settings are at revision ${before.revision}, not ${expected}.`,
        members: { revision: before.revision },
      })
    const approvals = given === undefined ? before.approvals : await settled(given, context)
    const chosen = { ...before, approvals, ...(new_hosts === undefined ? {} : { new_hosts }) }
    const [was, is] = [await viewOfSettings(before, whole), await viewOfSettings(chosen, whole)]
    const diff = diffOf(was, is, [])
    if (diff.length === 0) return was
    const after = {
      ...chosen,
      revision: before.revision + 1,
      updated_at: toTime(clock.now()),
      updated_by: principal.name,
    }
    await change.putSettings(after)
    for (const entry of diff) change.tell(entry)
    const warnings = await warningsFor(approvals, context)
    return { ...(await viewOfSettings(after, whole)), ...(warnings.length === 0 ? {} : { warnings }) }
  },
})

/** Rules with ids in the place of references. Refuses with configuration_invalid what would never hold. */
async function settled(rules: readonly ApprovalRule[], context: OperationContext): Promise<ApprovalRule[]> {
  const settledRules: ApprovalRule[] = []
  for (const [index, rule] of rules.entries()) {
    const pointer = `/approvals/${index}`
    if (rules.slice(0, index).some(({ name }) => name === rule.name))
      throw invalid(`${pointer}/name`, 'another rule has this name')
    const grant = asGrant(rule)
    if (!(APPROVABLE as readonly Permission[]).some((permission) => permits({ grants: [grant] }, permission)))
      throw invalid(`${pointer}/scope`, 'the scope excludes all permissions, so the rule never applies')
    const idsFor = (type: ResourceType, refs: readonly string[], at: string): Promise<string[]> =>
      Promise.all(refs.map((ref, i) => idOf(type, ref, `${pointer}/${at}/${i}`, context)))
    const { scope, subjects } = rule
    settledRules.push({
      ...rule,
      scope: {
        ...scope,
        collections: await idsFor('collections', scope.collections, 'scope/collections'),
        virtual_mcps: await idsFor('virtual_mcps', scope.virtual_mcps, 'scope/virtual_mcps'),
      },
      subjects: {
        users: await idsFor('users', subjects.users, 'subjects/users'),
        teams: await idsFor('teams', subjects.teams, 'subjects/teams'),
        service_identities: await idsFor(
          'service_identities',
          subjects.service_identities,
          'subjects/service_identities',
        ),
      },
    })
  }
  return settledRules
}

async function idOf(
  type: ResourceType,
  ref: string,
  pointer: string,
  { whole }: OperationContext,
): Promise<string> {
  const found = await findRef(whole, type, ref, pointer)
  if (found !== undefined) return found.id
  throw invalid(pointer, `there is no such resource among ${type}`)
}

function invalid(pointer: string, reason: string) {
  return refuse('configuration_invalid', {
    detail: `${pointer}: ${reason}.`,
    errors: [{ pointer, reason }],
  })
}

/** What whoever makes rules should know: that nobody, or only one person, could approve. */
async function warningsFor(
  rules: readonly ApprovalRule[],
  { whole, clock }: OperationContext,
): Promise<Warning[]> {
  if (rules.length === 0) return []
  const approvers: string[] = []
  for (const [index, { id, slug, spec }] of (await whole.all('users')).entries()) {
    await yieldThread(index + 1)
    if (spec['active'] !== true) continue
    if (permits({ grants: await grantsOf(whole, id, clock.now()) }, 'config:approve')) approvers.push(slug)
    if (approvers.length > 1) return []
  }
  const [only] = approvers
  const reason =
    only === undefined
      ? 'no user has the permission config:approve, so nobody can approve changes that wait'
      : `only the user "${only}" has the permission config:approve, so nobody can approve the changes of this user`
  return [
    {
      pointer: '/approvals',
      reason: `${reason}; a person with access to the data directory can still change these settings with its local token`,
    },
  ]
}

/** Name of the Management MCP in an AI application. */
const NAME = 'postern'

export const connectManagementMcp = define({
  resource: 'settings',
  action: 'connect',
  effect: 'read',
  tool: 'connect_management_mcp',
  group: 'manage_config',
  summary: 'Show the URL of Management MCP, and how to connect AI applications to it',
  input: z.strictObject({
    application: z.enum(APPLICATION_NAMES).optional().describe('Only the snippets of this application'),
    authentication: z
      .enum(['sign_in', 'token'])
      .default('sign_in')
      .describe('sign_in: snippets for people; token: with a personal token in an environment variable'),
  }),
  output: z.object({ url: z.string(), connect: Connect }),
  permission: 'settings:read',
  // Each caller may ask: the answer has only the address of the management interfaces, which the caller knows
  own: () => true,
  refuses: [],
  columns: ['url', 'connect.application', 'connect.text'],
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async ({ application, authentication }, { instance }) => {
    const url = instance.managementUrl + DOORS.managementMcp.path
    const applications = application === undefined ? APPLICATION_NAMES : [application]
    return { url, connect: [...snippetsFor({ name: NAME, url }, applications, authentication === 'token')] }
  },
})

export const listSettings = define({
  resource: 'settings',
  action: 'list',
  effect: 'read',
  tool: 'list_settings',
  group: 'manage_config',
  summary: 'List the startup settings of the process (POSTERN_*); they change only with a restart',
  input: z.strictObject({}),
  output: z.object({ items: z.array(ShownSetting) }),
  permission: 'settings:read',
  refuses: [],
  columns: ['name', 'value', 'default', 'source'],
  unscoped: true,
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async (_input, { settings }) => ({ items: [...settings] }),
})

export const getSettings = define({
  resource: 'settings',
  action: 'get',
  effect: 'read',
  tool: 'get_settings',
  group: 'manage_config',
  summary: 'Show the runtime settings: approval rules, and the treatment of new hosts',
  input: z.strictObject({}),
  output: RunSettings,
  permission: 'settings:read',
  refuses: [],
  columns: ['revision', 'approvals', 'new_hosts', 'updated_at', 'updated_by'],
  unscoped: true,
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async (_input, { whole }) => viewOfSettings(await readStoredSettings(whole), whole),
})

/** The settings as callers read them: with slugs in the place of ids. */
async function viewOfSettings(
  { revision, approvals, new_hosts = 'allow', updated_at, updated_by }: StoredSettings,
  reader: Pick<ConfigReader, 'slugs'>,
): Promise<z.output<typeof RunSettings>> {
  const slugs = await reader.slugs([...new Set(approvals.flatMap(idsIn))])
  const named = (ids: readonly string[]): string[] => ids.map((id) => slugs.get(id) ?? id)
  return {
    revision,
    approvals: approvals.map(({ scope, subjects, ...rule }) => ({
      ...rule,
      scope: {
        ...scope,
        collections: named(scope.collections),
        virtual_mcps: named(scope.virtual_mcps ?? []),
      },
      subjects: {
        users: named(subjects.users),
        teams: named(subjects.teams),
        service_identities: named(subjects.service_identities),
      },
    })),
    new_hosts,
    updated_at,
    updated_by,
  }
}
