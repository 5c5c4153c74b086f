import { type Clock, toTime } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import { Secret } from '../../base/secret.ts'
import type { ChangeRequest } from '../../model/approval.ts'
import { inWords } from '../../model/common.ts'
import { newAuditEntry } from '../../model/new-audit-entry.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import type { ConfigReader, ConfigStore } from '../../store/ports/config.ts'
import { ARGUMENTS } from '../../vault/reseal.ts'
import type { Vault } from '../../vault/vault.ts'
import { requestOf, toCaller } from '../audit-entry.ts'
import { besides } from '../change-outcome.ts'
import type { Invoked } from '../define.ts'
import { type Attempt, remember, replay } from '../idempotency.ts'
import type { Asked } from './approval.ts'
import { toPlainGrant } from './carry-out.ts'
import {
  askerOf,
  baseOf,
  fingerprintOf,
  isAccount,
  type MustWait,
  viewOfRequest,
  WAITS_MS,
} from './request.ts'

/** Of one asker: how many wait, and how much they have sent. */
const PENDING_MAX = 100
const SIZE_MAX = 64 * 1024 ** 2

interface Parts {
  readonly store: ConfigStore
  readonly vault: Pick<Vault, 'seal' | 'fingerprint'>
  readonly clock: Clock
}

/**
 * Makes a change request of what must wait, and answers with it; the same call about the same state is the same request.
 * Refuses with configuration_invalid when too many of the principal's wait.
 */
export async function ask(
  { store, vault, clock }: Parts,
  asked: Asked,
  { held, resource }: MustWait,
  attempt: Attempt | null,
): Promise<Invoked> {
  const { operation, input, options, principal, via } = asked
  return store.write(async (writer) => {
    const now = clock.now()
    const known = attempt && (await replay(writer, attempt, now))
    if (known != null) return answerNow(known, writer, now)
    const asker = askerOf(principal)
    const [fingerprint, base] = [fingerprintOf(operation, input, options, vault), baseOf(held)]
    const pending = (await writer.pendingChangeRequests(asker)).filter((one) => one.expires_at > now)
    let request: ChangeRequestFacts | undefined = pending.find(
      (one) => one.state === 'open' && one.fingerprint === fingerprint && one.base === base,
    )
    if (request === undefined) {
      const id = newId('chg', clock)
      const { id: requester, type, name, authMethod } = principal
      request = {
        id,
        state: 'open',
        operation: `${operation.resource}.${operation.action}`,
        resource,
        requester: { id: requester, type, name },
        rules: [...held.rules],
        reason: options.reason ?? null,
        // A diff holds plain JSON; its type says unknown because it is read from specs.
        diff: held.diff as ChangeRequest['diff'],
        base_revision: await writer.revision(),
        repeats: held.isRevealing || !isAccount(requester),
        asker,
        fingerprint,
        base,
        touches: held.touches.length > 0 ? held.touches : [besides(typeOf(operation), null)],
        is_foretold: held.foretold.length > 0,
        ceiling: principal.unnarrowed === undefined ? null : principal.grants.map(toPlainGrant),
        auth_method: authMethod,
        via: { ...via },
        created_at: now,
        expires_at: now + WAITS_MS,
        decided_at: null,
        decided_by: null,
        decision_reason: null,
        config_revision: null,
      }
      const sent = JSON.stringify({ input, options: kept(options) })
      refuseTooMuch(pending.length, (await writer.pendingSize(asker)) + sent.length)
      const sealed = vault.seal(new Secret(sent), id, ARGUMENTS)
      await writer.putChangeRequest({ ...request, sealed })
      await writer.appendAudit(
        newAuditEntry(clock, {
          ...toCaller(principal, via),
          operation: 'change_requests.create',
          action: 'CREATE',
          resource: { type: 'change_request', id, slug: null, collection: null },
          reason: request.reason,
          http: via.http && { ...via.http, status: 202 },
          detail: `${request.operation}${nameOf(resource)} waits for approval, until ${toTime(request.expires_at)}, by ${request.rules.join(', ')}.`,
          request: requestOf(asked),
        }),
      )
    }
    const answer = waiting(request, now)
    if (attempt !== null) await remember(writer, attempt, answer, false, now)
    return answer
  })
}

function refuseTooMuch(count: number, size: number): void {
  if (count < PENDING_MAX && size <= SIZE_MAX) return
  throw refuse('configuration_invalid', {
    detail: `You have as many change requests as may wait: ${PENDING_MAX}, or what they have sent is ${SIZE_MAX} bytes. Take some of them back first.`,
    errors: [{ pointer: '', reason: `at most ${PENDING_MAX} of one asker wait` }],
  })
}

/** What an operation is about that touches no resource. */
function typeOf({ permission }: Asked['operation']): string {
  return permission.slice(0, permission.indexOf(':'))
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
      waits_for_approval: request.state === 'open' && request.expires_at > now,
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

/** A request that is carried out; its arguments are needed no more. */
export function applied(request: ChangeRequestFacts, revision: number | null): StoredChangeRequest {
  return { ...request, state: 'applied', sealed: null, config_revision: revision }
}
