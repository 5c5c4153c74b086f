import type { Permission, Principal } from '../access/principal.ts'
import { permits } from '../access/roles.ts'
import { scopesFor } from '../access/scopes.ts'
import type { Clock } from '../base/clock.ts'
import { maskText } from '../base/mask.ts'
import { type FieldError, Refusal, refuse } from '../base/refusal.ts'
import type { Fragment, SnapshotDelta } from '../snapshot/fragments.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { ConfigStore, Fields } from '../store/ports/config.ts'
import type { Vault } from '../vault/vault.ts'
import { type Approval, approvalOf } from './approvals/approval.ts'
import { answerNow, ask } from './approvals/ask.ts'
import { MustWait } from './approvals/request.ts'
import type { Change } from './change.ts'
import type {
  CredentialProbe,
  Explainer,
  LimitReader,
  OperationContext,
  RecordQueries,
  Replayer,
  UpstreamWatch,
} from './context.ts'
import type { Invoke, Invoked, WriteOptions } from './define.ts'
import { toInputInvalid } from './errors.ts'
import type { ExportJobs } from './exports/jobs.ts'
import { holdWriter } from './held-writer.ts'
import { type Attempt, attemptOf, remember, replay } from './idempotency.ts'
import { mayCall } from './may-call.ts'
import { approvedCall, contextOf, createChange, perform, revisionOf } from './perform.ts'
import { select, takeSelection } from './select.ts'
import { denial } from './sight.ts'
import { type Call, isBeyondScope, isDenial, noteRead, noteRefusal } from './trail-entries.ts'
import { fromWriteOptions, WriteOptionsInput } from './write-options.ts'

export interface InvokeDeps {
  readonly store: ConfigStore
  readonly vault: Vault
  readonly clock: Clock
  readonly records: RecordQueries
  readonly explainer: Explainer
  readonly replayer: Replayer
  readonly credentials: CredentialProbe
  readonly upstreams: UpstreamWatch
  readonly limits: LimitReader
  readonly exports: ExportJobs
  readonly localSignIn: OperationContext['localSignIn']
  readonly mappedGrants: OperationContext['mappedGrants']
  readonly settings: OperationContext['settings']
  readonly trail: OperationContext['trail']
  readonly publisher: Publisher
  /** Judges a compiled fragment as gateway threads will; what it finds refuses the change. */
  readonly check?: (fragment: Fragment) => readonly FieldError[]
  /** Told of faults that no caller sees. */
  readonly fault?: (error: unknown, requestId: string) => void
}

/**
 * The only way in to the operations. In this order: permitted at all, input parsed; then for a change one transaction
 * of handler, fragments, audit entry and remembered answer; then publication. What a handler finds and changes is
 * permitted one by one, by its context.
 */
export function createInvoke(deps: InvokeDeps): Invoke {
  return async (operation, input, given, principal, via) => {
    const options = withReason(given)
    const coarse = { operation, input: {}, isParsed: false, options, principal, via }
    if (!mayCall(principal, operation)) throw await deny(deps, coarse, input)
    const faulty = WriteOptionsInput.safeParse(fromWriteOptions(options)).error
    if (faulty !== undefined) throw toInputInvalid(faulty)
    const parsed = operation.input.safeParse(input)
    if (!parsed.success) throw toInputInvalid(parsed.error)
    const call: Call = { ...coarse, input: parsed.data, isParsed: true }
    return operation.effect === 'read' ? read(deps, call) : write(deps, call)
  }
}

/** The reason is kept for long, in several places, and read by many: a secret that stands in it is in none of them. */
function withReason(options: WriteOptions): WriteOptions {
  return options.reason === undefined ? options : { ...options, reason: maskText(options.reason) }
}

/** Notes a refusal of a known principal and makes it. What was asked is read for the entry alone. */
async function deny(deps: InvokeDeps, call: Call, input: unknown): Promise<Refusal> {
  const refusal = asStepUp(denial(call.operation.permission), call.principal)
  const parsed = call.operation.input.safeParse(input)
  const asked = parsed.success ? { ...call, input: parsed.data, isParsed: true } : call
  await noteRefusal(asked, undefined, refusal, deps)
  return refusal
}

async function read(deps: InvokeDeps, call: Call): Promise<Invoked> {
  const { selection, input } = takeSelection(call.operation, call.input)
  const context = contextOf(deps, call, deps.store.read, null)
  const output = await readOutput(deps, { ...call, input }, context)
  const content = await call.operation.content?.open(output, context)
  if (call.operation.noted !== undefined) await noteRead(call, output, deps)
  return {
    status: 200,
    output: await select(call.operation, selection, output, context),
    revision: revisionOf(output),
    configRevision: null,
    pending: false,
    diff: null,
    ...(content === undefined ? {} : { content }),
  }
}

async function readOutput(
  deps: InvokeDeps,
  call: Call,
  context: OperationContext,
): Promise<Record<string, unknown>> {
  const { operation, input } = call
  try {
    return await operation.handle(input, context)
  } catch (cause) {
    const error = asStepUp(cause, call.principal)
    if (isDenial(error)) await noteRefusal(call, undefined, error, deps)
    // Not waited for: the time of the answer would tell that there is such a thing
    else void noteBeyondScope(deps, call, error)
    throw error
  }
}

/** Notes a read of what exists beyond the scope of the caller. */
async function noteBeyondScope(deps: InvokeDeps, call: Call, error: unknown): Promise<void> {
  try {
    if (await isBeyondScope(error, deps.store.read)) await noteRefusal(call, undefined, error, deps, true)
  } catch (cause) {
    deps.fault?.(cause, call.via.requestId)
  }
}

/** A denial that another token of the same account would not meet says which scopes that takes. */
function asStepUp<E>(error: E, { scopes, grants, unnarrowed }: Principal): E | Refusal {
  if (scopes === undefined || unnarrowed === undefined) return error
  if (!(error instanceof Refusal) || error.code !== 'permission_denied') return error
  // Denials name what is missing, in its form.
  const permission = error.facts.members?.['permission'] as Permission | undefined
  if (permission === undefined || permits({ grants }, permission)) return error
  if (!permits({ grants: unnarrowed }, permission)) return error
  const scope = scopesFor(permission, scopes)
  return refuse('insufficient_scope', {
    detail: `This needs the permission ${permission}, which the account has and this token does not reach. Ask for the scopes ${scope}.`,
    members: { permission, scope },
  })
}

async function write(deps: InvokeDeps, call: Call): Promise<Invoked> {
  const { store, vault } = deps
  const { operation, input, options, principal, via } = call
  const dryRun = options.dryRun === true
  const attempt = dryRun ? null : attemptOf(operation, input, options, principal, vault)
  let change: Change | undefined
  let published: Promise<{ readonly pending: boolean }> | undefined
  try {
    const known = await answeredBefore(deps, call, attempt)
    if (known !== undefined) return known
    const reading = contextOf(deps, call, store.read, null)
    const prepared = (await operation.prepare?.(input, reading)) ?? input
    const result = await store.write(
      async (transaction) => {
        const writer = operation.held === true ? await holdWriter(transaction) : transaction
        const approval = await approvalOf(call, transaction, vault, deps.clock.now())
        change = createChange(deps, call, writer, approval)
        return transact(deps, call, prepared, change, attempt, approval)
      },
      {
        rollback: dryRun,
        // Here and not after the turn, so that revisions are published in their order.
        committed: ({ delta }) => {
          if (delta !== null) published = publish(deps, delta, via.requestId)
        },
      },
    )
    const pending = published === undefined ? false : (await published).pending
    const settled = dryRun || pending || change === undefined ? {} : settle(deps, change, via.requestId)
    return { ...result.answer, output: { ...result.answer.output, ...settled }, pending }
  } catch (cause) {
    if (cause instanceof MustWait) return ask(deps, call, cause, attempt)
    const error = asStepUp(cause, principal)
    const isDenied = isDenial(error) || (await isBeyondScope(error, store.read))
    if (!dryRun || isDenied) await noteRefusal(call, change, error, deps, isDenied)
    throw error
  }
}

/** The answer to the same attempt, where making ready for another may call others. The transaction asks again. */
async function answeredBefore(
  { store, clock }: InvokeDeps,
  { operation }: Call,
  attempt: Attempt | null,
): Promise<Invoked | undefined> {
  if (operation.prepare === undefined || attempt === null) return undefined
  const known = await replay(store.read, attempt, clock.now())
  // What waits may have been approved since
  return known?.status === 202 ? undefined : known
}

/** What is committed has happened: a fault on its way to the threads leaves it pending and is not the caller's. */
async function publish(
  deps: InvokeDeps,
  delta: SnapshotDelta,
  requestId: string,
): Promise<{ readonly pending: boolean }> {
  try {
    return await deps.publisher.publish(delta)
  } catch (error) {
    deps.fault?.(error, requestId)
    return { pending: true }
  }
}

/** What follows a change that has happened: a fault there is not the caller's. */
function settle(deps: InvokeDeps, change: Change, requestId: string): Fields {
  try {
    return change.settle()
  } catch (error) {
    deps.fault?.(error, requestId)
    return {}
  }
}

async function transact(
  deps: InvokeDeps,
  call: Call,
  prepared: Call['input'],
  change: Change,
  attempt: Attempt | null,
  approval: Approval,
) {
  const now = deps.clock.now()
  const known = attempt && (await replay(change.writer, attempt, now))
  const isCarriedOut = known?.status === 202 && approval.approved !== undefined
  if (known != null && !isCarriedOut)
    return { answer: await answerNow(known, change.writer, now), delta: null }
  const done = await perform(deps, approvedCall(call, approval), prepared, change, approval)
  if (attempt !== null) await remember(change.writer, attempt, done.answer, change.secrets.revealed, now)
  return done
}
