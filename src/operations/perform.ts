import { permits } from '../access/roles.ts'
import { Refusal } from '../base/refusal.ts'
import { inWords } from '../model/common.ts'
import type { StoredChangeRequest } from '../store/ports/change-requests.ts'
import type { ConfigReader, ConfigWriter } from '../store/ports/config.ts'
import { keepAnAdmin } from './access/last-admin.ts'
import { type Approval, applied, openRequest, passes } from './approvals/approval.ts'
import { type CarryOut, outdated, requesterOf } from './approvals/carry-out.ts'
import { judgeOperation } from './approvals/gate.ts'
import type { Ending } from './audit-entry.ts'
import { Change } from './change.ts'
import { endedUsers } from './change-outcome.ts'
import type { OperationContext } from './context.ts'
import type { Invoked } from './define.ts'
import { holdWriter } from './held-writer.ts'
import type { InvokeDeps } from './invoke.ts'
import { kindOf } from './kinds/kinds.ts'
import { mayCall } from './may-call.ts'
import { getRef } from './refs.ts'
import { denial, sightOf } from './sight.ts'
import { toTold } from './told.ts'
import { appendEntry, appendItems, type Call, keepRevision, subjectOf } from './trail-entries.ts'

/** Does what an operation says, and tells of it, in the transaction of the change. */
export async function perform(
  deps: InvokeDeps,
  call: Call,
  prepared: Call['input'],
  change: Change,
  approval: Approval,
) {
  const { operation, options } = call
  const now = deps.clock.now()
  if (approval.gate !== null) judgeOperation(approval.gate, operation.permission)
  const output = await operation.handle(prepared, contextOf(deps, call, change.writer, change))
  await keepAnAdmin(change, deps.store.read, call.principal, now)
  // Should they come back, they sign in again, and so do their programs
  for (const id of endedUsers(change.changes)) await change.writer.oauth.removeOfAccount(id)
  const outcome = await change.finish()
  const passed = passes(approval, change.shown(outcome), call, subjectOf(call, change, output))
  if (outcome.revision !== null) await keepRevision(call, change, outcome.revision, now)
  const configRevision = outcome.revision ?? change.carried?.revision ?? null
  const created = operation.effect === 'create' || change.created
  const answer: Invoked = {
    status: created && options.dryRun !== true ? 201 : 200,
    output,
    revision: revisionOf(output),
    configRevision,
    pending: false,
    diff: options.dryRun === true ? outcome.diff : null,
    ...passed.answer,
  }
  if (approval.approved !== undefined)
    await change.writer.putChangeRequest(applied(approval.approved, configRevision))
  const detail = [...(change.finding === undefined ? [] : [change.finding]), ...passed.told].join(' ')
  const entry = { outcome: 'ok' as const, status: answer.status, configRevision }
  await appendItems(call, change, outcome.items, entry, deps.clock)
  const { type, slug } = subjectOf(call, change, output)
  const cause = `Deleted with the ${inWords(type)} "${slug ?? ''}".`
  await appendItems(call, change, outcome.gone, { ...entry, detail: cause }, deps.clock)
  await appendEntry(
    call,
    change,
    output,
    {
      ...entry,
      // A diff holds plain JSON; its type says unknown because it is read from specs.
      diff: outcome.diff as NonNullable<Ending['diff']>,
      ...(detail === '' ? {} : { detail }),
      ...change.revisions,
      planId: change.planId,
      response: toTold(output, operation.output),
    },
    deps.clock,
  )
  return { answer, delta: outcome.delta ?? change.carried?.delta ?? null }
}

/** What the principal of a call may change in a transaction. */
export function createChange(deps: InvokeDeps, call: Call, writer: ConfigWriter, approval: Approval): Change {
  return new Change({
    gate: approval.gate,
    approved: approval.approved,
    writer,
    sight: sightOf(call.principal, writer),
    permission: call.operation.permission,
    vault: deps.vault,
    clock: deps.clock,
    options: call.options,
    author: call.principal.name,
    kindOf,
    check: deps.check ?? (() => []),
  })
}

/** The call, with who has approved it for the trail. */
export function approvedCall(call: Call, { approved }: Approval): Call {
  const by = approved?.decided_by ?? null
  return by === null ? call : { ...call, via: { ...call.via, approver: { ...by, type: 'user' } } }
}

/** Revision of the resource that an answer is; null of what has none. */
export function revisionOf(output: Record<string, unknown>): number | null {
  return typeof output['revision'] === 'number' ? output['revision'] : null
}

/** What a handler is given; `change` is null for a read. */
export function contextOf(
  deps: InvokeDeps,
  call: Call,
  reader: ConfigReader,
  change: Change | null,
): OperationContext {
  const { operation, principal, via, options } = call
  const sight = sightOf(principal, reader)
  return {
    principal,
    via,
    options,
    clock: deps.clock,
    records: sight.records(deps.records),
    explainer: deps.explainer,
    replayer: deps.replayer,
    credentials: deps.credentials,
    upstreams: deps.upstreams,
    limits: deps.limits,
    exports: deps.exports,
    localSignIn: deps.localSignIn,
    mappedGrants: deps.mappedGrants,
    settings: deps.settings,
    trail: deps.trail,
    vault: deps.vault,
    reader: sight.reader,
    whole: reader,
    get change(): Change {
      if (change === null) throw new Error('A read has no transaction to change anything in.')
      return change
    },
    async find(type, ref, permission = operation.permission) {
      const found = await getRef(sight.reader, type, ref)
      await sight.reach(permission, found)
      return found
    },
    require(permission) {
      if (!permits(principal, permission)) throw denial(permission)
    },
    allows: (permission, resource) => sight.allows(permission, resource),
    demand: (permission, resource) => sight.demand(permission, resource),
    carryOut: createCarryOut(deps, call, change),
  }
}

/** Does what others asked for, in the transaction of `outer`. */
function createCarryOut(deps: InvokeDeps, { options }: Call, outer: Change | null): CarryOut {
  const asAsked = async (request: StoredChangeRequest, reader: ConfigReader): Promise<Call> => {
    const asked = openRequest(request, deps.vault)
    const principal = await requesterOf(request, reader, deps.clock.now())
    if (!mayCall(principal, asked.operation)) throw denial(asked.operation.permission)
    return {
      ...asked,
      isParsed: true,
      options: { ...asked.options, ...(options.dryRun === true && { dryRun: true }) },
      principal,
    }
  }
  return {
    prepare: (request) =>
      asOutdated(async () => {
        const call = await asAsked(request, deps.store.read)
        const reading = contextOf(deps, call, deps.store.read, null)
        return (await call.operation.prepare?.(call.input, reading)) ?? call.input
      }),
    carryOut: (request, prepared) =>
      asOutdated(async () => {
        if (outer === null) throw new Error('A read carries nothing out.')
        const call = await asAsked(request, outer.writer)
        const writer = call.operation.held === true ? await holdWriter(outer.writer) : outer.writer
        const approval = { gate: null, approved: request, isRepeated: false, isWayOut: false }
        const change = createChange(deps, call, writer, approval)
        // What its own preparation gave
        const approved = approvedCall(call, approval)
        const done = await perform(deps, approved, prepared as Call['input'], change, approval)
        outer.carried = { delta: done.delta, revision: done.answer.configRevision }
        outer.afterwards(() => {
          change.settle()
          return {}
        })
        return done.answer.configRevision
      }),
  }
}

/** Whatever keeps it from being done is said to whoever approves, and is no refusal of them. */
async function asOutdated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'change_request_outdated') throw error
    throw outdated(error.message)
  }
}
