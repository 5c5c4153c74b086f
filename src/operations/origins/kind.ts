import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { isRefusedHost } from '../../base/net/address.ts'
import { refuse } from '../../base/refusal.ts'
import { CAPABILITY_TYPES, type CapabilityType } from '../../model/mcp/capability.ts'
import { OriginSpec } from '../../model/mcp/origin.ts'
import type { ShownSetting } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Operation } from '../engine/define.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { findForPut, patchedSpec, settle } from '../engine/write-resource.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { attemptsOf, downSince, probedKeyOf } from './attempt.ts'
import { keepFound, summariesOf } from './found.ts'
import { keepAttempt, probed, refuseUnreachable } from './probe.ts'

/** How many there are of each type. */
export const Counts = z.object(
  Object.fromEntries(CAPABILITY_TYPES.map((type) => [type, z.int()])) as Record<CapabilityType, z.ZodInt>,
)

/** How an origin is spoken to, without what it says of itself at length. */
export const VerdictView = z.object({
  era: z
    .enum(['modern', 'legacy'])
    .describe('modern: protocol 2026-07-28 and later; legacy: earlier revisions'),
  version: z.string().describe('Revision of the protocol'),
  transport: z
    .enum(['streamable_http', 'http_sse'])
    .describe('http_sse: the transport of revision 2024-11-05, which is deprecated'),
  server: z.object({ name: z.string(), version: z.string() }),
  found_at: z.string().describe('Time at which Postern detected it'),
})

/** What get and list show of how an origin is. */
const currentOriginShape = {
  reachable: z
    .enum(['ok', 'unreachable', 'unknown'])
    .optional()
    .describe(
      'Result of the last probe of its server; unknown: not probed since the last change. Shown by get and list',
    ),
  down_since: z
    .string()
    .nullable()
    .optional()
    .describe(
      'Time since which its server cannot be reached or returns 5xx, so no list contains its items. Null: it responds. Shown by get and list',
    ),
  last_error: z
    .string()
    .nullable()
    .optional()
    .describe('Cause of the last failed probe. Shown by get and list'),
  last_refresh: z.string().nullable().optional().describe('Time of the last probe. Shown by get and list'),
  protocol: VerdictView.nullable().optional().describe('Protocol of the server. Shown by get and list'),
  capabilities: Counts.nullable()
    .optional()
    .describe('Number of its tools, prompts, resources and resource templates. Shown by get and list'),
}

/** How origins are now, by id. */
async function currentOrigins(
  origins: readonly Resource[],
  { reader }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const servers = origins.filter(({ spec }) => spec['kind'] !== 'collection')
  const ids = servers.map(({ id }) => id)
  const [summaries, attempts] = [await summariesOf(reader, ids), await attemptsOf(reader, ids)]
  return new Map(
    servers.map(({ id, spec }) => {
      const [summary, attempt] = [summaries.get(id), attempts.get(id)]
      const isKnown = attempt !== undefined && attempt.of === probedKeyOf(spec)
      const { counts = null, ...protocol } = summary ?? {}
      const shown = {
        reachable: !isKnown ? 'unknown' : attempt.error === null ? 'ok' : 'unreachable',
        down_since: downSince(spec, attempt),
        last_error: attempt?.error ?? null,
        last_refresh: attempt?.at ?? null,
        // Absent in what earlier versions have found
        protocol: summary === undefined ? null : { transport: 'streamable_http', ...protocol },
        capabilities: counts,
      }
      return [id, shown] as const
    }),
  )
}

export const originKind: Kind<'origins'> = {
  type: 'origins',
  noun: NOUNS.origins,
  prefix: 'ori',
  group: 'manage_origins',
  about: 'An origin is an upstream MCP server, or a collection offered over MCP.',
  tools: 'Origins: MCP servers behind virtual MCPs, with credential and catalogue. Tests them.',
  example: { name: 'Tickets', url: 'https://mcp.example.com/mcp' },
  spec: OriginSpec,
  view: viewSchema(OriginSpec, currentOriginShape),
  columns: [
    'slug',
    'name',
    'kind',
    'url',
    'entry',
    'active',
    'reachable',
    'down_since',
    'last_error',
    'capabilities.tools',
    'updated_at',
  ],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'kind', 'active'],
    connection: ['url', 'collection', 'entry', 'parameters', 'timeouts', 'sessions', 'pool_max', 'tls'],
    authentication: ['auth_mode', 'credential', 'oauth', 'key_header'],
    limits: ['policy', 'catalog_refresh'],
  },
  refs: [
    { field: 'collection', type: 'collections' },
    { field: 'credential', type: 'credentials' },
    { field: 'client_credential', type: 'credentials', within: 'oauth' },
    { field: 'policy', type: 'policies' },
  ],
  staged: false,
  filters: {
    kind: OriginSpec.shape.kind.unwrap(),
    active: booleanFilter,
    credential: z.string().max(130).describe('Id or slug of the credential'),
    policy: z.string().max(130).describe('Id or slug of the policy'),
  },
  asks: ({ url }) => (typeof url === 'string' ? [{ pointer: '/url', url }] : []),
  sentTo: (spec) => {
    const { url, tls } = spec
    return [url, tls]
  },
  check: async (fields, _self, { settings, whole }) => {
    checkOrigin(fields)
    await checkClient(fields, whole)
    demandRunner(fields, settings)
  },
  warn: warnOfInactivePolicy,
  current: currentOrigins,
}

function checkOrigin(fields: OriginSpec): void {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const spec = fields
  const { kind, url } = spec
  const refuseAt = (pointer: string, reason: string): never => {
    throw refuse('input_invalid', {
      detail: `The origin: ${pointer.slice(1)} ${reason}.`,
      errors: [{ pointer, reason }],
    })
  }
  for (const [member, of] of OWNERS) {
    const isGiven = member === 'parameters' ? Object.keys(spec.parameters).length > 0 : spec[member] !== null
    if (kind === of && !isGiven && member !== 'parameters')
      refuseAt(`/${member}`, `is required for an origin of kind ${of}`)
    if (kind !== of && isGiven) refuseAt(`/${member}`, `belongs to an origin of kind ${of}`)
  }
  if (kind === 'http' && isRefusedHost(new URL(url!).hostname))
    refuseAt('/url', 'must not be a link-local, metadata or multicast address')
  if (kind === 'collection' && spec.credential !== null) refuseAt('/credential', 'is set by the collection')
  checkAccounts(spec, refuseAt)
  if (kind === 'stdio') {
    if (spec.credential !== null)
      refuseAt('/credential', 'is for URLs: the file of the runner has the secrets of a stdio server')
    if (spec.tls !== null) refuseAt('/tls', 'belongs to an origin of kind http')
  }
}

/** Client id and secret at the authorization server are a user name and a password. */
async function checkClient(fields: OriginSpec, whole: ConfigReader): Promise<void> {
  const { oauth } = fields
  if (oauth.client_credential === null) return
  const found = await whole.byId('credentials', oauth.client_credential)
  const { type } = (found?.spec['auth'] ?? {}) as { readonly type?: string }
  if (type === 'basic') return
  throw refuse('input_invalid', {
    detail: 'The origin: oauth.client_credential must be a credential of type basic.',
    errors: [{ pointer: '/oauth/client_credential', reason: 'must be of type basic' }],
  })
}

/** Members of accounts fit each other. */
function checkAccounts(
  { kind, auth_mode: mode, credential, oauth }: OriginSpec,
  refuseAt: (pointer: string, reason: string) => never,
): void {
  if (mode !== 'static' && kind !== 'http') refuseAt('/auth_mode', 'must be static: other modes are for URLs')
  if (mode !== 'static' && credential !== null)
    refuseAt(
      '/credential',
      `must be null: with the mode ${mode} Postern sends the token or key of an account`,
    )
  const { registration, client_id: id, client_credential: secret } = oauth
  if (id !== null && secret !== null) refuseAt('/oauth/client_id', 'is the user name of client_credential')
  if (registration === 'manual' && id === null && secret === null)
    refuseAt('/oauth/registration', 'needs client_id or client_credential')
  if ((registration === 'cimd' || registration === 'dcr') && (id !== null || secret !== null))
    refuseAt('/oauth/registration', 'must be auto or manual with a client that was registered by hand')
}

/** By which kind each of these members is read. */
const OWNERS = [
  ['url', 'http'],
  ['collection', 'collection'],
  ['entry', 'stdio'],
  ['parameters', 'stdio'],
] as const

/** An origin that is switched off asks for no runner, so that it can be switched off where there is none. */
function demandRunner({ kind, active }: Fields, settings: readonly ShownSetting[]): void {
  if (kind !== 'stdio' || active === false || hasRunner(settings)) return
  throw refuse('configuration_invalid', {
    detail:
      'An origin of kind stdio is an entry of postern runner, and this Postern has none. Start postern runner, then start Postern with POSTERN_RUNNER set, such as unix:/run/postern/runner.sock.',
    errors: [{ pointer: '/kind', reason: 'needs the setting POSTERN_RUNNER' }],
  })
}

const { create, update, put, ...standard } = standardOf(originKind, refuseUsed)

const probeInput = {
  probe: z
    .boolean()
    .optional()
    .describe(
      'Probe the server before saving, and refuse to save if it does not respond (default). false: save, and read the catalogue later',
    ),
}

export const originOperations = {
  list: standard.list,
  get: standard.get,
  create: probing(create, originKind),
  update: probing(update, originKind),
  put: probing(put, originKind),
  delete: standard.delete,
  toggle: toggleOf(originKind, async ({ spec }, { settings }) =>
    demandRunner({ ...spec, active: true }, settings),
  ),
}

/** True where the settings of the process name a runner of stdio servers. */
export function hasRunner(settings: readonly ShownSetting[]): boolean {
  return settings.some(({ name, value }) => name === 'POSTERN_RUNNER' && value !== null)
}

/**
 * A create, update or put of origins that asks the server before it saves: where URL, credential, TLS or entry are new, or nothing is known of
 * it. Rules and permissions, the right to send a credential there too, are checked before anything is sent.
 */
function probing(operation: Operation, kind: Kind): Operation {
  return {
    ...operation,
    input: operation.input.extend(probeInput),
    refuses: [...operation.refuses, 'not_ready'],
    async prepare({ probe, ...given }, context) {
      const isAsked = probe !== false && context.options.dryRun !== true
      const wanted = isAsked ? await wantedBy(operation, kind, given, context) : null
      if (wanted === null) return { given }
      const came = await probed(wanted, context)
      refuseUnreachable(came, wanted.spec)
      return { given, came, of: probedKeyOf(wanted.spec), id: wanted.id }
    },
    async handle(prepared, context) {
      // As prepare has given it
      const { given, came, of, id } = prepared as {
        readonly given: Fields
        readonly id?: string
        readonly came?: Awaited<ReturnType<typeof probed>>
        readonly of?: string
      }
      // A runner that was asked with this id keeps the program that it has started
      if (operation.action === 'create' && id !== undefined) context.change.giveId(id)
      const output = await operation.handle(given, context)
      if (came === undefined || came.found === null) return output
      const origin = (await context.whole.byId(kind.type, String(output['id'])))!
      if (probedKeyOf(origin.spec) !== of)
        throw refuse('revision_conflict', {
          detail: `The origin "${origin.slug}" was changed during the probe. Try again.`,
          members: { revision: origin.revision },
        })
      context.change.finding = await keepFound(origin, came.found, context)
      await keepAttempt(origin, came, context)
      const { revision, updated_at, updated_by } = (await context.whole.byId(kind.type, origin.id))!
      return { ...output, revision, updated_at, updated_by, ...withWarnings(output, came.found.warnings) }
    },
  }
}

function withWarnings(output: Fields, more: readonly string[]): Fields {
  if (more.length === 0) return {}
  const warnings = (output['warnings'] ?? []) as readonly unknown[]
  return {
    warnings: [
      ...warnings,
      ...more.map((reason) => ({ pointer: output['kind'] === 'stdio' ? '/entry' : '/url', reason })),
    ],
  }
}

/** The origin as it would be stored, where its server is to be asked before that; else null. */
async function wantedBy(
  { action }: Operation,
  kind: Kind,
  given: Fields,
  context: OperationContext,
): Promise<{ readonly id: string; readonly slug: string; readonly spec: Fields } | null> {
  const before = await existing(action, kind, given, context)
  const { expectedRevision } = context.options
  // The handler refuses it
  if (before !== null && expectedRevision !== undefined && expectedRevision !== before.revision) return null
  const { id: _id, ...members } = given
  const wanted =
    before === null || action === 'put' ? members : await patchedSpec(context, kind, before, members)
  const whole = action === 'put' ? { active: before?.spec['active'] ?? true, ...wanted } : wanted
  const { fields: spec } = await settle(context, kind, whole, before?.id ?? '', before)
  // Nobody has connected an account yet: the catalogue is read when somebody has
  const needsAccount = spec.auth_mode !== 'static'
  if (spec['kind'] === 'collection' || spec['active'] === false || needsAccount) return null
  if (before !== null && (await isKnown(before, spec, context))) return null
  return {
    id: before?.id ?? newId(kind.prefix, context.clock),
    slug: before?.slug ?? String(given['slug'] ?? ''),
    spec,
  }
}

async function existing(
  action: string,
  kind: Kind,
  given: Fields,
  context: OperationContext,
): Promise<Resource | null> {
  if (action === 'create') return null
  const ref = String(given['id'])
  if (action === 'update') return context.find(kind.type, ref)
  const { id: _id, ...members } = given
  const known = await findForPut(context, kind, ref, members)
  return known === undefined ? null : context.find(kind.type, known.id)
}

/** Its server was asked before, in the way in which it is spoken to now. */
async function isKnown(before: Resource, spec: Fields, { whole }: OperationContext): Promise<boolean> {
  const attempt = (await attemptsOf(whole, [before.id])).get(before.id)
  return attempt?.error === null && attempt.of === probedKeyOf(spec)
}
