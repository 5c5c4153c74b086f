import type { Principal } from '../../access/principal.ts'
import { type Clock, toTime } from '../../base/clock.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { Refusal, type RefusalCode, refuse, type Sought, toProblem } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { type AuditEntry, newAuditEntry } from '../../model/access/audit.ts'
import { NOUNS, RESOURCE_TYPES, type ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader, ConfigStore, RevisionImage } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import type { Subject, Via } from './call.ts'
import type { Change } from './change.ts'
import type { Operation } from './define.ts'
import type { Changed, ChangedItem } from './diff.ts'
import { masked, type Redacted, redacted } from './redact.ts'
import { findRef } from './refs.ts'
import { fromWriteOptions, type WriteOptions } from './write-options.ts'

/** One call of an operation, after its input was parsed. */
export interface Call {
  readonly operation: Operation
  readonly input: Record<string, unknown>
  /** False where the input is not what was sent: that was not understood, and may hold anything. */
  readonly isParsed: boolean
  readonly options: WriteOptions
  readonly principal: Principal
  readonly via: Via
}

interface Trail {
  readonly store: Pick<ConfigStore, 'write'>
  readonly clock: Clock
}

/** Notes a read that is noted, before anything is shown. */
export async function noteRead(call: Call, output: Fields, { store, clock }: Trail): Promise<void> {
  const subject = call.operation.subject(call.input, output)
  const entry = await toEntry(call, subject, { outcome: 'ok', status: 200, request: askedOf(call) }, clock)
  await store.write((writer) => writer.appendAudit(entry))
}

/** The entry of what happened, in the transaction of the change itself. */
export async function appendEntry(
  call: Call,
  change: Change,
  output: Fields,
  ending: Omit<Ending, 'request'>,
  clock: Clock,
): Promise<void> {
  const subject = subjectOf(call, change, output)
  const slugs = await change.writer.slugs(subject.collection == null ? [] : [subject.collection])
  const slug = subject.type === 'collection' ? subject.slug : (slugs.get(subject.collection ?? '') ?? null)
  await change.writer.appendAudit(
    await toEntry(call, subject, { ...ending, request: askedOf(call) }, clock),
    slug,
  )
}

/** The entries of a change of many resources, one for each. */
export async function appendItems(
  call: Call,
  change: Change,
  items: readonly ChangedItem[],
  ending: Ending,
  clock: Clock,
): Promise<void> {
  let done = 0
  for (const { resource, collection, diff, before, after } of items) {
    await yieldThread(++done)
    const its: Ending = {
      ...ending,
      // A diff holds plain JSON; its type says unknown because it is read from specs.
      diff: diff as NonNullable<Ending['diff']>,
      before,
      after,
      ...(after === null ? { action: 'DELETE' } : {}),
      planId: change.planId,
    }
    await change.writer.appendAudit(await toEntry(call, toSubject(resource), its, clock), collection)
  }
}

/**
 * Notes what was refused: denials always, failed changes once their input was understood. A store that cannot be used
 * takes no entry: the caller gets the first error, or 503 where a denial cannot be noted.
 * @param isDenied true also for what exists beyond the scope of the caller, who is told that there is no such thing
 */
export async function noteRefusal(
  call: Call,
  change: Change | undefined,
  error: unknown,
  { store, clock }: Trail,
  isDenied: boolean = isDenial(error),
): Promise<void> {
  if (error instanceof StoreUnavailable) return
  const refusal = error instanceof Refusal ? error : refuse('internal_error')
  const ending: Ending = {
    outcome: isDenied ? 'denied' : 'failed',
    status: refusal.status,
    error: refusal.code,
    detail: refusal.message,
    request: askedOf(call),
    response: redacted(toProblem(refusal, call.via.requestId)),
  }
  const entry = await toEntry(call, subjectOf(call, change, undefined), ending, clock)
  try {
    await store.write((writer) => writer.appendAudit(entry))
  } catch (cause) {
    if (cause instanceof StoreUnavailable && error instanceof Refusal) throw cause
    throw new AggregateError([error, cause], 'The operation failed, and so did its audit entry.', {
      cause: error,
    })
  }
}

const DENIALS: ReadonlySet<RefusalCode> = new Set(['permission_denied', 'insufficient_scope'])

/** True for what somebody may not do, which the trail tells from what failed. */
export function isDenial(error: unknown): boolean {
  return error instanceof Refusal && DENIALS.has(error.code)
}

/**
 * True when the caller named a resource that exists, and was refused because the caller's grants do not show it: as what
 * an operation is about, as a reference, or as the slug of a put.
 * @param whole reads everything.
 */
export async function isBeyondScope(error: unknown, whole: ConfigReader): Promise<boolean> {
  if (!(error instanceof Refusal)) return false
  for (const [index, one] of (error.facts.sought ?? []).entries()) {
    if (await exists(one, whole)) return true
    await yieldThread(index + 1)
  }
  return false
}

async function exists({ type, ref }: Sought, whole: ConfigReader): Promise<boolean> {
  try {
    // Only types of resources are looked for by name
    return (await findRef(whole, type as ResourceType, ref)) !== undefined
  } catch (cause) {
    // Several go by that name
    if (cause instanceof Refusal) return true
    throw cause
  }
}

/** What a revision did, and what was before it. */
export async function keepRevision(
  { operation, options, principal, via }: Call,
  change: Change,
  revision: number,
  now: number,
): Promise<void> {
  const { id, type, name } = principal
  await change.writer.putRevision(
    {
      revision,
      time: toTime(now),
      actor: { id, type, name },
      surface: via.surface,
      operation: `${operation.resource}.${operation.action}`,
      reason: options.reason ?? null,
      request_id: via.requestId,
    },
    await imagesOf(change.changes),
  )
}

/** The resource that a call is about, as far as that is known. */
export function subjectOf(
  call: Call,
  change: Change | undefined,
  output: Record<string, unknown> | undefined,
): Subject {
  const found = change?.subject
  if (found !== undefined) return toSubject(found)
  return call.operation.subject(call.input, output)
}

function askedOf(call: Call): ReturnType<typeof requestOf> | null {
  return call.isParsed ? requestOf(call) : null
}

async function toEntry(
  { operation, principal, via, options }: Call,
  subject: Subject,
  ending: Ending,
  clock: Clock,
) {
  return toAuditEntry(operation, principal, via, subject, options.reason, ending, clock)
}

/** Every touched resource as it was before. */
async function imagesOf(changes: readonly Changed[]): Promise<readonly RevisionImage[]> {
  const images: RevisionImage[] = []
  for (const { before, after } of changes) {
    const one = after ?? before
    if (one === null) continue
    const { id, type, slug, parent } = one
    const action = actionOf(before, after)
    // Who may administer is not gone back to
    const isKept = action !== 'secrets' && RESOURCE_TYPES.some((served) => served === type)
    images.push({ id, type, slug, parent, action, before: isKept ? before : null })
    await yieldThread(images.length)
  }
  return images
}

function actionOf(before: Resource | null, after: Resource | null): RevisionImage['action'] {
  if (before === null) return 'created'
  if (after === null) return 'removed'
  return canonicalJson(fieldsOf(before)) === canonicalJson(fieldsOf(after)) ? 'secrets' : 'changed'
}

function fieldsOf({ slug, spec, draft, managed_by }: Resource): Fields {
  return { slug, spec, draft, managed_by }
}

/** How an operation ended, for its entry. */
export interface Ending {
  readonly outcome: AuditEntry['outcome']
  /** HTTP status that the caller gets. */
  readonly status: number
  readonly error?: string
  readonly detail?: string
  readonly diff?: AuditEntry['diff']
  readonly before?: number | null
  readonly after?: number | null
  readonly configRevision?: number | null
  /** Where it is not that of the operation. */
  readonly action?: AuditEntry['action']
  /** Ties the entries of one change of many resources. */
  readonly planId?: string | undefined
  /** See {@link redacted}; absent where another entry of the same change tells it. */
  readonly request?: Redacted
  readonly response?: Redacted
}

const ACTIONS = {
  read: 'READ',
  create: 'CREATE',
  update: 'UPDATE',
  act: 'UPDATE',
  delete: 'DELETE',
} as const

/** The line of the trail for one operation. */
async function toAuditEntry(
  operation: Operation,
  principal: Principal,
  via: Via,
  subject: Subject,
  reason: string | undefined,
  ending: Ending,
  clock: Clock,
): Promise<AuditEntry> {
  const diff: AuditEntry['diff'][number][] = []
  for (const entry of ending.diff ?? []) {
    diff.push(maskedDiff(entry))
    await yieldThread(diff.length)
  }
  return newAuditEntry(clock, {
    ...toCaller(principal, via),
    operation: `${operation.resource}.${operation.action}`,
    action:
      ending.action ??
      (ending.outcome === 'ok' && ending.before === null && ending.after === 1
        ? 'CREATE'
        : (operation.noted ?? ACTIONS[operation.effect])),
    resource: toResource(subject),
    revision_before: ending.before ?? null,
    revision_after: ending.after ?? null,
    config_revision: ending.configRevision ?? null,
    ...(ending.planId === undefined ? {} : { plan_id: ending.planId }),
    diff,
    reason: reason ?? null,
    approver: via.approver ?? null,
    http: via.http && { ...via.http, status: ending.status },
    outcome: ending.outcome,
    error: ending.error ?? null,
    detail: ending.detail ?? null,
    request: ending.request ?? null,
    response: ending.response ?? null,
  })
}

/** Values of a difference may hold what people should not have written there. */
function maskedDiff({ op, path, from, value }: AuditEntry['diff'][number]): AuditEntry['diff'][number] {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return {
    op,
    path,
    ...(from === undefined ? {} : { from: masked(from, name) }),
    ...(value === undefined ? {} : { value: masked(value, name) }),
  }
}

/** What was asked, with the options as they are sent; the reason has a place of its own. */
export function requestOf({
  operation,
  input,
  options,
}: {
  readonly operation: Operation
  /** Parsed: what was not understood may hold anything. */
  readonly input: Readonly<Record<string, unknown>>
  readonly options: WriteOptions
}): Redacted {
  const { reason, ...others } = fromWriteOptions(options)
  return redacted({ ...input, ...others }, operation.input)
}

/** Who called, and from where, as the trail names them. */
export function toCaller(
  { id, type, name, authMethod }: Pick<Principal, 'id' | 'type' | 'name' | 'authMethod'>,
  { agent, surface, ip, userAgent, requestId }: Via,
): Pick<AuditEntry, 'actor' | 'agent' | 'surface' | 'ip' | 'user_agent' | 'request_id'> {
  return {
    actor: { id, type, name, auth_method: authMethod },
    agent: {
      name: agent?.name ?? null,
      version: agent?.version ?? null,
      session_id: agent?.sessionId ?? null,
      conversation_id: agent?.conversationId ?? null,
    },
    surface,
    ip,
    user_agent: userAgent,
    request_id: requestId,
  }
}

/** A subject as the trail names it. */
export function toResource({ type, id, slug, collection = null }: Subject): AuditEntry['resource'] {
  return { type, id, slug, collection }
}

/** What the entry names, as the handler found it. */
function toSubject(resource: Resource): Subject {
  return {
    type: NOUNS[resource.type],
    id: resource.id,
    slug: resource.slug,
    collection: collectionOf(resource),
  }
}

function collectionOf(resource: Resource): string | null {
  if (resource.type === 'collections') return resource.id
  return resource.type === 'proxies' ? resource.parent : null
}
