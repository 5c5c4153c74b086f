import type { Principal } from '../access/principal.ts'
import { type Clock, toTime } from '../base/clock.ts'
import { Refusal, type RefusalCode, refuse, type Sought, toProblem } from '../base/refusal.ts'
import type { ResourceType } from '../model/common.ts'
import type { ConfigReader, ConfigStore, Fields } from '../store/ports/config.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { type Ending, requestOf, toAuditEntry, toSubject } from './audit-entry.ts'
import { breathe } from './breathe.ts'
import type { Change } from './change.ts'
import { type ChangedItem, imagesOf } from './change-outcome.ts'
import type { Operation, Subject, Via, WriteOptions } from './define.ts'
import { findRef } from './refs.ts'
import { toTold } from './told.ts'

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
  const entry = toEntry(call, subject, { outcome: 'ok', status: 200, request: askedOf(call) }, clock)
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
  await change.writer.appendAudit(toEntry(call, subject, { ...ending, request: askedOf(call) }, clock), slug)
}

/** The entries of a change of many resources, one for each. */
export async function appendItems(
  call: Call,
  change: Change,
  items: readonly ChangedItem[],
  ending: Ending,
  clock: Clock,
): Promise<void> {
  let told = 0
  for (const { resource, collection, diff, before, after } of items) {
    await breathe(++told)
    const its: Ending = {
      ...ending,
      // A diff holds plain JSON; its type says unknown because it is read from specs.
      diff: diff as NonNullable<Ending['diff']>,
      before,
      after,
      ...(after === null ? { action: 'DELETE' } : {}),
      planId: change.planId,
    }
    await change.writer.appendAudit(toEntry(call, toSubject(resource), its, clock), collection)
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
    response: toTold(toProblem(refusal, call.via.requestId)),
  }
  const entry = toEntry(call, subjectOf(call, change, undefined), ending, clock)
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
    await breathe(index + 1)
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
    imagesOf(change.changes),
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

function toEntry(
  { operation, principal, via, options }: Call,
  subject: Subject,
  ending: Ending,
  clock: Clock,
) {
  return toAuditEntry(operation, principal, via, subject, options.reason, ending, clock)
}
