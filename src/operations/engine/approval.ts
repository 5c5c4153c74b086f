/**
 * Approval rules are settings in the store. `Change` passes each write to the rules of its principal; `invoke` passes
 * operations that concern no resource.
 *
 * 1. A write that needs approval is rolled back when it is complete and judged. It is stored as a change request in a
 *    transaction of its own, with its arguments sealed.
 * 2. Approving carries the write out in one transaction, as the requester. It refuses when the revisions, the
 *    differences or the references are no longer those that were shown.
 * 3. An operation whose answer shows a secret is carried out by the requester's own repeated call.
 */
import type { Principal } from '../../access/principal.ts'
import { typeIn } from '../../access/roles.ts'
import { type Clock, toTime } from '../../base/clock.ts'
import { Secret } from '../../base/crypto/token.ts'
import { newId } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { ChangeRequest } from '../../model/access/approval.ts'
import { newAuditEntry } from '../../model/access/audit.ts'
import { inWords } from '../../model/resource-types.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import type { ConfigReader, ConfigStore } from '../../store/ports/config.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Approval, Gate } from './approval-rules.ts'
import type { Invoked, Subject, Via } from './call.ts'
import {
  askerOf,
  baseOf,
  besides,
  fingerprintOf,
  isAccount,
  MustWait,
  outdated,
  type ShownChange,
  stateAt,
  toPlainGrant,
  viewOfRequest,
  WAITS_MS,
} from './change-request.ts'
import { type Attempt, type Operation, type Registry, remember, replay } from './define.ts'
import { tooLargeToReview } from './review.ts'
import { requestOf, toCaller } from './trail.ts'
import { unreadBytes, withRead } from './unread.ts'
import type { WriteOptions } from './write-options.ts'

/** What is called, and by whom. */
export interface Asked {
  readonly operation: Operation
  readonly input: Record<string, unknown>
  readonly options: WriteOptions
  readonly principal: Principal
  readonly via: Via
}

/** How a call stands to the rules that hold for it, and the approved request that it repeats. */
export async function approvalOf(
  gate: Gate,
  { operation, input, options, principal }: Asked,
  reader: ConfigReader,
  vault: Pick<Vault, 'fingerprint'>,
  now: number,
): Promise<Approval> {
  const isWayOut = operation.permission === 'settings:update' && principal.authMethod === 'local_token'
  const pending = (await reader.pendingChangeRequests(askerOf(principal))).filter(
    (one) => stateAt(one, now) === 'approved',
  )
  const fingerprint = pending.length === 0 ? '' : fingerprintOf(operation, input, options, vault)
  // The newest: an earlier one may have been approved before what it is about has changed
  const approved = pending.findLast((one) => one.fingerprint === fingerprint)
  return { gate, approved, isRepeated: approved !== undefined, isWayOut }
}

/**
 * What is to be said of a write that does not have to wait, or no more. Throws a MustWait for one that does, and refuses
 * with change_request_outdated what is not what was approved.
 */
export function passes(
  { gate, approved, isRepeated, isWayOut }: Approval,
  shown: ShownChange,
  { options }: Pick<Asked, 'options'>,
  { type, id, slug }: Subject,
): { readonly answer: Pick<Invoked, 'approval'>; readonly notes: readonly string[] } {
  const resource = { type, id, slug, parent: null }
  if (approved !== undefined) {
    // What was foretold has been done, by what Change.mustWait found
    const isDone = approved.is_foretold && shown.foretold.length === 0
    if (!isDone && baseOf(shown) !== approved.base) {
      if (isRepeated) throw new MustWait(shown, resource)
      throw outdated(whatMoved(approved, shown))
    }
    return {
      answer: {},
      notes: [`Applied from the change request ${approved.id}.`],
    }
  }
  const waits =
    gate !== null &&
    gate.met.size > 0 &&
    (shown.foretold.length > 0 || shown.touches.length > 0 || shown.diff.length > 0)
  if (!waits) return { answer: {}, notes: [] }
  if (isWayOut)
    return {
      answer: {},
      notes: [
        `Without the approval that ${shown.rules.join(', ')} requires, through access to the data directory.`,
      ],
    }
  if (options.dryRun !== true) throw new MustWait(shown, resource)
  return { answer: { approval: shown.rules }, notes: [] }
}

function whatMoved({ touches }: ChangeRequestFacts, now: ShownChange): string {
  for (const { type, id, slug, revision } of touches) {
    if (revision === null) continue
    const found = now.touches.find((one) => one.type === type && one.id === id)
    const name = `${inWords(type)}${slug === null ? '' : ` "${slug}"`}`
    if (found === undefined) return `it would no longer affect ${name}.`
    if (found.revision !== revision) return `${name} is at revision ${found.revision} now, not ${revision}.`
  }
  return 'it would change something else now.'
}

/** What was asked for. Refuses with change_request_outdated what cannot be read any more. */
export function openRequest(
  { id, sealed, operation: name, via }: StoredChangeRequest,
  { vault, registry }: { readonly vault: Pick<Vault, 'openArguments'>; readonly registry: Registry },
): Omit<Asked, 'principal'> {
  const operation = registry.operations.find((one) => `${one.resource}.${one.action}` === name)
  if (sealed === null || operation === undefined) throw outdated('the requested change is no longer stored.')
  let text: string
  try {
    text = vault.openArguments(sealed, id).reveal()
  } catch {
    throw outdated('the requested change cannot be decrypted.')
  }
  // Only ask seals these.
  const { input, options } = JSON.parse(text) as Pick<Asked, 'input' | 'options'>
  const parsed = operation.input.safeParse(input)
  if (!parsed.success) throw outdated('this version does not support the requested change.')
  // As ask stored it.
  return { operation, input: parsed.data, options, via: via as unknown as Via }
}

/** A request that is carried out; its arguments are needed no more. */
export function applied(request: ChangeRequestFacts, revision: number | null): StoredChangeRequest {
  return { ...request, state: 'applied', sealed: null, config_revision: revision }
}

/** Of one asker: how many wait, and how much they have sent. */
const PENDING_MAX = 100
const SIZE_MAX = 64 * 1024 ** 2
/** Bytes of a document in what waits. */
const KEPT_BYTES_MAX = 2 * 1024 ** 2

interface Parts {
  readonly store: ConfigStore
  readonly vault: Pick<Vault, 'sealArguments' | 'fingerprint'>
  readonly clock: Clock
}

/**
 * Makes a change request of what must wait, and answers with it; the same call about the same state is the same request.
 * Refuses with configuration_invalid when too many of the principal's wait, and with change_too_large what cannot be shown
 * whole to an approver.
 */
export async function ask(
  { store, vault, clock }: Parts,
  asked: Asked,
  { shown, resource }: MustWait,
  attempt: Attempt | null,
): Promise<Invoked> {
  const { operation, input, options, principal } = asked
  // The main thread reads and seals what is kept
  if (!shown.isWhole || unreadBytes(input) > KEPT_BYTES_MAX) throw tooLargeToReview()
  return store.write(async (writer) => {
    const now = clock.now()
    const known = attempt && (await replay(writer, attempt, now))
    if (known != null) return answerNow(known, writer, now)
    // Each of these takes long by itself for what is as large as may wait
    const base = baseOf(shown)
    await yieldThread(0)
    const same = {
      asker: askerOf(principal),
      fingerprint: fingerprintOf(operation, input, options, vault),
      base,
    }
    await yieldThread(0)
    const pending = (await writer.pendingChangeRequests(same.asker)).filter((one) => one.expires_at > now)
    let request = pending.find(
      (one) => one.state === 'open' && one.fingerprint === same.fingerprint && one.base === same.base,
    )
    if (request === undefined) {
      const sent = JSON.stringify({ input: withRead(input), options: kept(options) })
      refuseTooMuch(pending.length, (await writer.pendingSize(same.asker)) + sent.length)
      const id = newId('chg', clock)
      const base_revision = await writer.revision()
      const placed = { ...resource, parent: await parentOf(resource, shown, writer) }
      request = {
        ...{ ...toRequest(asked, shown), ...same, id, resource: placed, base_revision },
        ...waitsFrom(now),
      }
      const sealed = vault.sealArguments(new Secret(sent), id)
      await yieldThread(0)
      await writer.putChangeRequest({ ...request, sealed })
      await writer.appendAudit(toEntry(asked, request, clock))
    }
    const answer = waiting(request, now)
    if (attempt !== null) await remember(writer, attempt, answer, false, now)
    return answer
  })
}

/** Slug of what the resource belongs to: slugs of proxies, profiles and bindings are unique only below it. */
async function parentOf(
  { id }: ChangeRequest['resource'],
  { touches }: ShownChange,
  reader: Pick<ConfigReader, 'slugs'>,
): Promise<string | null> {
  const parent = touches.find((touch) => id !== null && touch.id === id)?.parent ?? null
  return parent === null ? null : ((await reader.slugs([parent])).get(parent) ?? null)
}

/** What the call alone says of its request, which nobody has decided. */
function toRequest({ operation, options, principal, via: given }: Asked, shown: ShownChange) {
  const { left: _left, ...via } = given
  const { id, type, name, authMethod } = principal
  const { rules, touches, foretold, isRevealing } = shown
  return {
    state: 'open' as const,
    operation: `${operation.resource}.${operation.action}`,
    requester: { id, type, name },
    rules: [...rules],
    reason: options.reason ?? null,
    // A diff holds plain JSON; its type says unknown because it is read from specs.
    diff: shown.diff as ChangeRequest['diff'],
    is_whole: true as const,
    repeats: isRevealing || !isAccount(id),
    touches: touches.length > 0 ? touches : [besides(typeIn(operation.permission), null)],
    is_foretold: foretold.length > 0,
    ceiling: principal.unnarrowed === undefined ? null : principal.grants.map(toPlainGrant),
    auth_method: authMethod,
    via,
    decided_at: null,
    decided_by: null,
    decision_reason: null,
    config_revision: null,
  }
}

function waitsFrom(now: number): Pick<ChangeRequestFacts, 'created_at' | 'expires_at'> {
  return { created_at: now, expires_at: now + WAITS_MS }
}

function toEntry(
  asked: Asked,
  { id, operation, resource, rules, reason, expires_at }: ChangeRequestFacts,
  clock: Clock,
) {
  const { principal, via } = asked
  return newAuditEntry(clock, {
    ...toCaller(principal, via),
    operation: 'change_requests.create',
    action: 'CREATE',
    resource: { type: 'change_request', id, slug: null, collection: null },
    reason,
    http: via.http && { ...via.http, status: 202 },
    detail: `${operation}${nameOf(resource)} waits for approval, until ${toTime(expires_at)}, by ${rules.join(', ')}.`,
    request: requestOf(asked),
  })
}

function refuseTooMuch(count: number, size: number): void {
  if (count < PENDING_MAX && size <= SIZE_MAX) return
  throw refuse('configuration_invalid', {
    detail: `You have too many pending change requests: the maximum is ${PENDING_MAX}, or ${SIZE_MAX} bytes of input in total. First withdraw some of them with reject.`,
    errors: [{ pointer: '', reason: `at most ${PENDING_MAX} change requests of one requester may wait` }],
  })
}

function nameOf({ type, slug }: ChangeRequest['resource']): string {
  return slug === null ? '' : ` of the ${inWords(type)} "${slug}"`
}

/** Options that carrying it out goes by. */
function kept({ idempotencyKey: _, dryRun: __, ...options }: Asked['options']): Asked['options'] {
  return options
}

/** That it waits, or how it went since. */
function waiting(request: ChangeRequestFacts, now: number): Invoked {
  return {
    status: 202,
    output: {
      waits_for_approval: stateAt(request, now) === 'open',
      change_request: viewOfRequest(request, now),
    },
    revision: null,
    configRevision: null,
    pending: false,
    diff: null,
  }
}

/** A remembered answer; one that tells of a change request as that stands now. */
export async function answerNow(known: Invoked, reader: ConfigReader, now: number): Promise<Invoked> {
  if (known.status !== 202) return known
  // As waiting has put it there.
  const { id } = known.output['change_request'] as ChangeRequest
  const request = await reader.changeRequest(id)
  return request === undefined ? known : waiting(request, now)
}
