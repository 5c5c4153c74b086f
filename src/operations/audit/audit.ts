import { z } from 'zod'
import { type Clock, toTime } from '../../base/clock.ts'
import { SEALED_CHARS_MAX, sessionNameOf } from '../../base/crypto/sealing.ts'
import { refuse } from '../../base/refusal.ts'
import { AuditEntry, newAuditEntry } from '../../model/access/audit.ts'
import { refersTo } from '../../model/annotations.ts'
import { HttpMethod } from '../../model/members.ts'
import { SURFACES, type Surface } from '../../model/record.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { AuditFilter, ConfigStore } from '../../store/ports/config.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { booleanFilter, page, pageOf, period, timeCursors, timeOrder, toPeriod } from '../engine/lists.ts'
import { findRef } from '../engine/refs.ts'

const text = z.string().min(1).max(200)

/** The word of the trail for a resource type; the plural of the API is understood too. */
const SINGULAR: ReadonlyMap<string, string> = new Map([
  ...Object.entries(NOUNS),
  ['access_tokens', 'access_token'],
])

const CHANGES = ['CREATE', 'UPDATE', 'DELETE'] as const
const STATUSES = /^[1-5]([0-9]{2}|xx)( *, *[1-5]([0-9]{2}|xx)){0,19}$/

/** Members by which entries are found. */
export const auditFilters = {
  resource_type: text.optional().describe('Such as collection'),
  resource: text.optional().describe('Id or slug'),
  action: z
    .enum([...CHANGES, 'READ', 'CHANGE'])
    .optional()
    .describe('CHANGE matches CREATE, UPDATE and DELETE'),
  actor: text.optional().describe('Id or name'),
  approver: text.optional().describe('Id or name of the approver'),
  actor_type: AuditEntry.shape.actor.shape.type.optional(),
  auth_method: text.optional().describe('Authentication method of the actor, such as access_token'),
  agent: text.optional().describe('Name that the AI agent declared'),
  agent_version: text.optional(),
  session_id: z
    .string()
    .min(1)
    .max(SEALED_CHARS_MAX)
    .optional()
    .describe('MCP session of the agent: the id that the client sends, or the hash in entries'),
  conversation_id: text.optional(),
  operation: text.optional().describe('Such as collections.update'),
  surface: z.enum(SURFACES).optional(),
  outcome: z.enum(['ok', 'denied', 'failed']).optional(),
  error: text.optional().describe('Problem code, such as permission_denied'),
  status: z
    .union([z.int().transform(String), z.string()])
    .refine(
      (given) => STATUSES.test(given),
      'a status such as 403, a class such as 4xx, or several with commas',
    )
    .optional()
    .describe('HTTP status: 403, 4xx, or several separated by commas'),
  method: HttpMethod.optional().describe('Of the HTTP request'),
  path_contains: text.optional().describe('Part of the path and query of the HTTP request'),
  ip: text.optional(),
  user_agent: text.optional().describe('Part of the user agent'),
  request_id: text.optional(),
  plan_id: text.optional().describe('Entries of one change of many resources'),
  revision: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Revision of the resource, before or after the change'),
  config_revision: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Revision of the configuration that the change created'),
  diff: text.optional().describe('Part of the difference, such as the name of a member'),
  request: text.optional().describe('Part of the request'),
  response: text.optional().describe('Part of the response'),
  detail: text.optional().describe('Part of the detail text'),
  reason: text.optional().describe('Part of the reason'),
  collection: text
    .meta(refersTo('collections'))
    .optional()
    .describe('Id or slug: the collection and everything in it'),
  text: text.optional().describe('Part of any text in the entry'),
  ...period,
}

export const listAudit = define({
  resource: 'audit',
  action: 'list',
  effect: 'read',
  tool: 'list_audit_logs',
  group: 'query_audit',
  summary: 'Search the audit trail',
  input: z.strictObject({
    ...page,
    ...auditFilters,
    order: timeOrder('newest'),
    bodies: booleanFilter.optional().describe('Include requests and responses'),
  }),
  output: pageOf(AuditEntry),
  permission: 'audit:read',
  refuses: [],
  columns: ['time', 'actor.name', 'surface', 'operation', 'resource.slug', 'outcome'],
  subject: () => ({ type: 'audit', id: null, slug: null }),
  handle: async (input, context) => {
    const { cursor, limit, order, ...asked } = input
    const cursors = timeCursors('newest', order, '[0-9]{1,15}')
    const last = cursors.from(cursor)
    const filter = {
      ...(await toAuditFilter(asked, context)),
      ...(last !== undefined && { last: Number(last) }),
      order,
      limit,
    }
    const { items, next } = await context.reader.auditEntries(filter)
    return { items: [...items], next_cursor: next === null ? null : cursors.to(String(next)) }
  },
})

/** What was asked as the store is asked for it: the collection by id, times absolute. */
export async function toAuditFilter(
  input: z.output<z.ZodObject<typeof auditFilters>>,
  context: OperationContext,
): Promise<Omit<AuditFilter, 'limit'>> {
  const { resource_type, collection, action, status, session_id, from, to, ...rest } = input
  // The slug that a collection has now also means its entries from before it had it.
  const known =
    collection === undefined ? undefined : await findRef(context.reader, 'collections', collection)
  return defined({
    ...rest,
    resource_type: resource_type && (SINGULAR.get(resource_type) ?? resource_type),
    collection: known?.id ?? collection,
    session_id: session_id && sessionNameOf(session_id),
    actions: action && (action === 'CHANGE' ? CHANGES : [action]),
    statuses: status === undefined ? undefined : statusesOf(status),
    ...toPeriod({ from, to }, context),
  })
}

function statusesOf(text: string): AuditFilter['statuses'] {
  const parts = text.split(',').map((part) => part.trim())
  return {
    exact: parts.filter((part) => !part.endsWith('xx')).map(Number),
    hundreds: parts.filter((part) => part.endsWith('xx')).map((part) => Number(part[0])),
  }
}

/** Drops members that are undefined. */
function defined(filter: { [K in Exclude<keyof AuditFilter, 'limit'>]?: AuditFilter[K] | undefined }) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as Omit<
    AuditFilter,
    'limit'
  >
}

export const getAudit = define({
  resource: 'audit',
  action: 'get',
  effect: 'read',
  tool: 'get_audit_log',
  group: 'query_audit',
  summary: 'Show an audit entry with its difference',
  input: z.strictObject({ id: z.string().min(1).max(64) }),
  output: AuditEntry,
  permission: 'audit:read',
  refuses: ['not_found'],
  columns: ['time', 'actor.name', 'surface', 'operation', 'resource.slug', 'outcome', 'reason'],
  subject: ({ id }) => ({ type: 'audit', id, slug: null }),
  handle: async ({ id }, context) => {
    const entry = await context.reader.auditEntry(id)
    if (entry === undefined) throw refuse('not_found', { detail: `There is no audit entry "${id}".` })
    return entry
  },
})

const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'a link as verify answers it: 64 hexadecimal digits')

export const verifyAudit = define({
  resource: 'audit',
  action: 'verify',
  effect: 'read',
  tool: 'verify_audit_chain',
  group: 'query_audit',
  summary: 'Verify that no entry of the audit trail was changed, removed, inserted or moved',
  input: z.strictObject({
    seq: z.coerce
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Number of a link that you saved outside the instance'),
    hash: Hash.optional().describe('The saved link: `head` of an earlier response'),
  }),
  output: z.object({
    ok: z.boolean(),
    entries: z.int().describe('Number of entries checked'),
    checkpoints: z.int().describe('Number of signed links checked'),
    keyed_from: z
      .int()
      .nullable()
      .describe(
        'Number of the first entry with a keyed link; earlier entries are from a development version',
      ),
    mark: z
      .object({ seq: z.int(), hash: z.string() })
      .nullable()
      .describe('Last entry that the mark file of the trail records'),
    removed: z
      .object({ entries: z.int(), time: z.string() })
      .nullable()
      .describe('Entries that retention removed and signed: their number and the last time; null if none'),
    head: z
      .object({ seq: z.int(), hash: z.string() })
      .nullable()
      .describe(
        'Last link. If you save it outside the instance and pass it later, changes to earlier entries are detected',
      ),
    public_key: z.string().describe('Public key of the signatures, PEM'),
    break: z
      .object({ seq: z.int(), id: z.string().nullable(), what: z.string() })
      .nullable()
      .describe('First entry that was changed'),
  }),
  permission: 'audit:verify',
  refuses: [],
  unscoped: true,
  fails: ({ ok }) => ok === false,
  columns: [
    'ok',
    'entries',
    'checkpoints',
    'keyed_from',
    'mark.seq',
    'mark.hash',
    'removed.entries',
    'removed.time',
    'head.seq',
    'head.hash',
    'break.seq',
    'break.id',
    'break.what',
  ],
  subject: () => ({ type: 'audit', id: null, slug: null }),
  handle: async ({ seq, hash }, context) => {
    if ((seq === undefined) !== (hash === undefined)) throw anchorFault(seq === undefined ? '/seq' : '/hash')
    const found = await context.trail.verify(seq === undefined ? null : { seq, hash: hash! })
    const gone = found.removed?.entries ?? 0
    if (seq !== undefined && seq <= gone && found.ok) throw goneFault(seq, gone)
    return found
  },
})

function goneFault(seq: number, gone: number) {
  return refuse('input_invalid', {
    detail: `Number ${seq} cannot be compared, because retention has removed all entries up to number ${gone}. Give a saved link with a higher number.`,
    errors: [{ pointer: '/seq', reason: `above ${gone}` }],
  })
}

function anchorFault(pointer: string) {
  return refuse('input_invalid', {
    detail: 'A saved link has a number and a hash: give both.',
    errors: [{ pointer, reason: 'required together with the other' }],
  })
}

const MINUTE_MS = 60_000

/** Sources that are told apart in a minute; those beyond are counted together, so that a flood stays small. */
const SOURCES_MAX = 1000

/** A caller that was refused. */
interface RefusedCaller {
  readonly surface: Surface
  readonly ip: string | null
  /** Why it was refused, for the audit only. */
  readonly reason: string
  readonly userAgent: string | null
  /** The caller, if it has proved itself; absent for an anonymous caller. */
  readonly actor?: AuditEntry['actor']
  /** What was refused; absent for the interface as a whole. */
  readonly resource?: AuditEntry['resource']
  /** Code of the refusal; `credential_invalid` when absent. */
  readonly error?: string
  /** Members that say more; never a credential. */
  readonly facts?: Readonly<Record<string, string>>
}

export interface UnauthenticatedAudit {
  /** Counts refusals; costs no write. @param times how many there were */
  note(caller: RefusedCaller, times?: number): void
  /** Writes the minutes that are over (all of them with `everything`); called by a timer and on drain. */
  flush(everything?: boolean): Promise<void>
}

interface Counted {
  readonly caller: RefusedCaller
  readonly minute: number
  count: number
}

/** Refusals of callers as one audit entry per source, reason and minute: no attacker buys a disk write per request. */
export function createUnauthenticatedAudit(store: ConfigStore, clock: Clock): UnauthenticatedAudit {
  const counts = new Map<string, Counted>()
  return {
    note(caller, times = 1) {
      const minute = Math.floor(clock.now() / MINUTE_MS)
      const { surface, ip, reason, actor, resource, error, facts } = caller
      const more = actor ?? resource ?? facts
      const key = `${minute} ${surface} ${ip} ${reason}${more === undefined ? '' : JSON.stringify([actor, resource, error, facts])}`
      const known = counts.get(key)
      if (known !== undefined) known.count += times
      else if (counts.size < SOURCES_MAX) counts.set(key, { caller, minute, count: times })
      else {
        const rest = counts.get('rest')
        if (rest !== undefined) rest.count += times
        else
          counts.set('rest', {
            caller: { surface: caller.surface, ip: null, reason: 'many sources', userAgent: null },
            minute,
            count: times,
          })
      }
    },
    async flush(everything = false) {
      const minute = Math.floor(clock.now() / MINUTE_MS)
      const due = [...counts].filter(([, counted]) => everything || counted.minute !== minute)
      if (due.length === 0) return
      for (const [key] of due) counts.delete(key)
      try {
        await store.write(async (writer) => {
          for (const [, counted] of due) await writer.appendAudit(toEntry(counted, clock))
        })
      } catch (error) {
        // What the store did not take is written once it does
        for (const [key, counted] of due) {
          const since = counts.get(key)
          if (since !== undefined) since.count += counted.count
          else counts.set(key, counted)
        }
        throw error
      }
    },
  }
}

const NOBODY = { id: 'anonymous', type: 'anonymous', name: 'anonymous', auth_method: 'none' } as const
const ANYTHING = { type: 'access', id: null, slug: null, collection: null } as const

function toEntry({ caller, minute, count }: Counted, clock: Clock): AuditEntry {
  const { actor, facts = {} } = caller
  return newAuditEntry(clock, {
    time: toTime(minute * MINUTE_MS),
    actor: actor ?? NOBODY,
    surface: caller.surface,
    operation: actor === undefined ? 'access.authenticate' : 'access.use',
    action: 'READ',
    resource: caller.resource ?? ANYTHING,
    diff: Object.entries(facts).map(([name, value]) => ({ op: 'add' as const, path: `/${name}`, value })),
    ip: caller.ip,
    user_agent: caller.userAgent,
    outcome: 'denied',
    error: caller.error ?? 'credential_invalid',
    detail: caller.reason,
    count,
  })
}
