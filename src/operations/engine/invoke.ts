import { toInputInvalid } from '../../base/field-errors.ts'
import { maskText } from '../../base/mask.ts'
import type { Refusal } from '../../base/refusal.ts'
import type { SnapshotDelta } from '../../snapshot/fragments.ts'
import type { Fields } from '../../store/ports/config.ts'
import { type Approval, answerNow, approvalOf, ask } from './approval.ts'
import { fromWriteOptions, type Invoked, type WriteOptions, WriteOptionsInput } from './call.ts'
import type { Change } from './change.ts'
import { MustWait } from './change-request.ts'
import { inMemoryWriter } from './config-in-memory.ts'
import type { OperationContext } from './context.ts'
import type { Invoke } from './define.ts'
import { type Attempt, attemptOf, remember, replay } from './idempotency.ts'
import { approvedCall, contextOf, createChange, type InvokeDeps, perform, revisionOf } from './perform.ts'
import { asStepUp, denial, mayCall } from './permission.ts'
import { select, takeSelection } from './select.ts'
import { type Call, isBeyondScope, isDenial, noteRead, noteRefusal } from './trail.ts'

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
        const writer = operation.inMemory === true ? await inMemoryWriter(transaction) : transaction
        const approval = await approvalOf(call, transaction, deps, deps.clock.now())
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
