import { z } from 'zod'
import { SEALED_CHARS_MAX, sessionNameOf } from '../../base/crypto/sealing.ts'
import { refuse } from '../../base/refusal.ts'
import { refersTo, unit } from '../../model/annotations.ts'
import { HttpMethod, Ref } from '../../model/members.ts'
import { CACHES, FAILURE_ORIGINS, OUTCOME_CLASSES, RequestRecord, WholeRecord } from '../../model/record.ts'
import { RECORD_SURFACES, type ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { page, pageOf, period, toPeriod } from '../engine/lists.ts'
import { findRef } from '../engine/refs.ts'

/** Seconds. More than a minute would look like a dead connection to proxies. */
const WAIT_MAX = 25

const path = z.string().min(1).max(2000)

const shortText = z.string().min(1).max(200)

/** Members by which every question about records may be narrowed. */
export const selection = {
  client: Ref.optional(),
  profile: Ref.optional(),
  collection: Ref.optional(),
  proxy: Ref.optional(),
  virtual_mcp: Ref.optional(),
  origin: Ref.optional(),
  status: z
    .union([z.int(), z.string().max(100)])
    .optional()
    .describe('429, 4xx, or several separated by commas'),
  surface: z
    .enum([...RECORD_SURFACES, 'app', 'agent'])
    .optional()
    .describe('Interface; app is an alias of gateway, agent means all MCP interfaces'),
  method: HttpMethod.optional(),
  agent_name: shortText.optional(),
  agent_host: shortText.optional().describe('OAuth client that the token was issued to'),
  subject: shortText.optional().describe('Subject of the token or client certificate'),
  check: shortText.optional().describe('Name of the check that ended the request, such as limits'),
  outcome_class: z.enum(OUTCOME_CLASSES).optional(),
  failure_origin: z.enum(FAILURE_ORIGINS).optional(),
  upstream_target: z.string().min(1).max(512).optional().describe('URL of the last upstream target'),
  cache: z.enum(CACHES).optional().describe('Cache result'),
}

/** Members by which records are found. */
export const recordFilters = {
  ...selection,
  credential_id: shortText.optional().describe('Token of a profile'),
  code: shortText.optional().describe('Problem code, such as rate_limit_exceeded'),
  path: path.optional().describe('Start of the path'),
  path_exact: path.optional().describe('The whole path'),
  path_contains: path.optional().describe('Part of the path'),
  route: path.optional().describe('Matching pattern, with the base path'),
  mcp_method: shortText.optional().describe('Such as tools/list'),
  tool: shortText.optional().describe('Tool that was called at /mcp'),
  capability: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Public name or URI of a capability of a virtual MCP'),
  session_id: z
    .string()
    .min(1)
    .max(SEALED_CHARS_MAX)
    .optional()
    .describe('MCP session: the id that the client sends, or the hash in records'),
  conversation_id: shortText.optional(),
  user: shortText.meta(refersTo('users')).optional().describe('Id of the user for whom the call was made'),
  trace_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/, '32 hexadecimal digits in lower case')
    .optional(),
  nearest_limit: shortText.optional().describe('policy/limit with the fewest requests left'),
  guardrail: Ref.optional().describe('Guardrail that found something'),
  min_retries: z.coerce.number().int().min(0).max(254).optional(),
  ip: shortText.optional(),
  request_id: shortText.optional(),
  min_duration_ms: z.coerce.number().meta(unit('ms')).min(0).optional(),
  max_duration_ms: z.coerce.number().meta(unit('ms')).min(0).optional(),
  aborted: z.boolean().optional().describe('The caller disconnected before the end'),
  text: shortText
    .optional()
    .describe('Part of any text of the record, ignoring case: path, route, address, code, reason, agent'),
  ...period,
}

const { from: _from, to: _to, ...filters } = recordFilters

const slugOf = (type: ResourceType) =>
  z
    .string()
    .meta(refersTo(type))
    .nullable()
    .describe('Current slug; null if there is none or the resource was deleted')

/** A record as it is shown: the ids that it keeps, and beside them the slugs of now. */
const slugs = {
  collection_slug: slugOf('collections'),
  proxy_slug: slugOf('proxies'),
  virtual_mcp_slug: slugOf('virtual_mcps'),
  origin_slug: slugOf('origins'),
  client_slug: slugOf('clients'),
  profile_slug: slugOf('profiles'),
  user_slug: slugOf('users'),
}

export const ShownRecord = RequestRecord.extend(slugs)

export const followRecords = define({
  resource: 'records',
  action: 'follow',
  effect: 'read',
  follows: true,
  tool: 'follow_request_logs',
  group: 'query_logs',
  summary: 'Wait for the next calls through the gateway, and show their records as they are stored',
  input: z.strictObject({
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(200)
      .default(50)
      .describe('Maximum number of items in one response'),
    cursor: z
      .string()
      .max(100)
      .optional()
      .describe(
        'next_cursor of the previous response. Default: now; the first response has a cursor and no items',
      ),
    wait: z.coerce
      .number()
      .int()
      .meta(unit('s'))
      .min(0)
      .max(WAIT_MAX)
      .default(20)
      .describe('Maximum waiting time in seconds, after which the response is empty'),
    ...filters,
  }),
  output: pageOf(ShownRecord).extend({
    next_cursor: z.string().describe('Send it as cursor to get the next records'),
    missed: z
      .boolean()
      .describe(
        'True if records between the cursor and these items are no longer available here: list them with from',
      ),
  }),
  permission: 'records:read',
  refuses: ['records_unavailable'],
  columns: [
    ...['time', 'surface', 'method', 'path', 'mcp_method', 'capability', 'client_slug'],
    ...['status', 'code', 'duration_ms', 'id'],
  ],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async ({ wait, ...input }, context) => {
    const filter = await toSelection(input, context)
    const { records, principal } = context
    const { items, next_cursor, missed } = await records.follow(filter, wait * 1000, principal.id)
    return { items: await withSlugs(items, context.reader), next_cursor, missed }
  },
})

export const listRecords = define({
  resource: 'records',
  action: 'list',
  effect: 'read',
  tool: 'query_request_logs',
  group: 'query_logs',
  summary: 'Search the records of calls through the gateway, newest first. Bodies are not kept',
  input: z.strictObject({
    ...page,
    cursor: z.string().max(1000).optional().describe('next_cursor of the previous page'),
    order: z.enum(['newest', 'oldest']).default('newest').describe('Sort order'),
    ...recordFilters,
  }),
  output: pageOf(ShownRecord),
  permission: 'records:read',
  refuses: ['records_unavailable'],
  columns: [
    ...['time', 'surface', 'method', 'path', 'mcp_method', 'capability', 'client_slug'],
    ...['status', 'code', 'duration_ms', 'id'],
  ],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async (input, context) => {
    const { items, next_cursor } = await context.records.list(await toSelection(input, context))
    return { items: await withSlugs(items, context.reader), next_cursor }
  },
})

const ShownWholeRecord = WholeRecord.extend(slugs)

export const getRecord = define({
  resource: 'records',
  action: 'get',
  effect: 'read',
  tool: 'get_request_log',
  group: 'query_logs',
  summary: 'Show the record of one call by its request id, with the trace of its workflow',
  input: z.strictObject({ id: z.string().min(1).max(64) }),
  output: ShownWholeRecord,
  permission: 'records:read',
  refuses: ['not_found', 'records_unavailable'],
  columns: ['time', 'surface', 'method', 'path', 'status', 'code', 'check', 'duration_ms'],
  subject: ({ id }) => ({ type: 'record', id, slug: null }),
  handle: async ({ id }, context) => {
    const record = await context.records.get(id)
    if (record === undefined) throw refuse('not_found', { detail: `There is no request record "${id}".` })
    return (await withSlugs([record], context.reader))[0]!
  },
})

const { client, profile, collection } = selection
const input = z.strictObject({ client, profile, collection, ...period })

/** What deleting is confirmed with: there is no one resource whose slug could be said. */
const CONFIRM = 'records'

export const purgeRecords = define({
  resource: 'records',
  action: 'purge',
  effect: 'delete',
  tool: 'delete_request_logs',
  group: 'query_logs',
  summary:
    'Delete request records permanently, by time, collection, client or profile; requires confirm "records". A dry run counts them',
  input,
  output: z.object({
    removed: z.int().describe('Number of deleted records; for a dry run: of records that would be deleted'),
    more: z.boolean().describe('True if more records match than one call can delete: repeat the call'),
  }),
  permission: 'records:delete',
  refuses: ['confirmation_required', 'idempotency_conflict', 'records_unavailable'],
  columns: ['removed', 'more'],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async (input, context) => {
    const { change, options } = context
    const said = Object.entries(input).filter(([, value]) => value !== undefined)
    if (said.length === 0)
      throw refuse('input_invalid', {
        detail: 'Name the records by from, to, collection, client or profile. to: now means all records.',
        errors: [{ pointer: '', reason: 'at least one of from, to, collection, client, profile' }],
      })
    const isDryRun = options.dryRun === true
    if (!isDryRun && options.confirm !== CONFIRM)
      throw refuse('confirmation_required', {
        detail: `This cannot be undone. Send confirm: "${CONFIRM}".`,
        errors: [{ pointer: '/confirm', reason: `must be "${CONFIRM}"` }],
      })
    const selected = await toSelection(input, context)
    const { collection, client, profile } = selected
    const mustWait = change.mustWait('records', { collection, client, profile })
    // While the transaction is open, so that no deletion is without its entry
    const { removed, more } = await context.records.remove(selected, mustWait || isDryRun)
    if (mustWait)
      change.tell({
        op: 'remove',
        path: '/records',
        from: { ...Object.fromEntries(said), matching: removed },
      })
    const asked = said.map(([name, value]) => `${name} ${String(value)}`).join(', ')
    change.finding = `${removed} request records were deleted${more ? ', and there are more' : ''}: ${asked}.`
    return { removed, more }
  },
})

const REFS: readonly (readonly [string, ResourceType])[] = [
  ['client', 'clients'],
  ['profile', 'profiles'],
  ['collection', 'collections'],
  ['proxy', 'proxies'],
  ['virtual_mcp', 'virtual_mcps'],
  ['origin', 'origins'],
  ['guardrail', 'guardrails'],
]

/**
 * The selection as records are asked for by it: resources by id, times absolute. What no longer exists is looked for as it was
 * written.
 */
export async function toSelection(
  input: Fields,
  context: OperationContext,
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = { ...input, ...toPeriod(input, context) }
  for (const [field, type] of REFS) {
    const ref = found[field]
    if (typeof ref !== 'string') continue
    // A bare slug of a profile or proxy means the one below the client or collection that is asked for.
    const parent =
      type === 'profiles' ? found['client'] : type === 'proxies' ? found['collection'] : undefined
    const whole =
      typeof parent === 'string' && !ref.includes(':') && !ref.includes('_') ? `${parent}:${ref}` : ref
    found[field] = (await findRef(context.reader, type, whole, `/${field}`))?.id ?? ref
  }
  if (typeof found['session_id'] === 'string') found['session_id'] = sessionNameOf(found['session_id'])
  return found['surface'] === 'app' ? { ...found, surface: 'gateway' } : found
}

type Slugs = { readonly [name in keyof typeof slugs]: string | null }

/** Records with the slugs that their ids have now; null for what is gone. */
export async function withSlugs<Shown extends RequestRecord>(
  records: readonly Shown[],
  reader: ConfigReader,
): Promise<(Shown & Slugs)[]> {
  const ids = records.flatMap(({ collection, proxy, virtual_mcp, origin, client, profile, user }) => [
    collection,
    proxy,
    virtual_mcp,
    origin,
    client,
    profile,
    user,
  ])
  const found = await reader.slugs([...new Set(ids.filter((id) => id !== null))])
  const slugOf = (id: string | null): string | null => (id === null ? null : (found.get(id) ?? null))
  return records.map((record) => ({
    ...record,
    collection_slug: slugOf(record.collection),
    proxy_slug: slugOf(record.proxy),
    virtual_mcp_slug: slugOf(record.virtual_mcp),
    origin_slug: slugOf(record.origin),
    client_slug: slugOf(record.client),
    profile_slug: slugOf(record.profile),
    user_slug: slugOf(record.user),
  }))
}
