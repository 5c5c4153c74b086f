import { z } from 'zod'
import { keepAnAdmin } from '../../access/last-admin.ts'
import { permits } from '../../access/roles.ts'
import type { Clock } from '../../base/clock.ts'
import { toInputInvalid } from '../../base/json/fault.ts'
import { demandStorable, demandStorablePaused } from '../../base/json/storable.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { maskText } from '../../base/text/mask.ts'
import { inSlices } from '../../base/threads/time-slices.ts'
import type { OriginSpec } from '../../model/mcp/origin.ts'
import { Ref } from '../../model/members.ts'
import { inWords } from '../../model/resource-types.ts'
import type { Acknowledged, Publisher, Sent } from '../../snapshot/snapshot.ts'
import type { StoredChangeRequest } from '../../store/ports/change-requests.ts'
import type { ConfigReader, ConfigStore, ConfigWriter } from '../../store/ports/config.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Vault } from '../../vault/vault.ts'
import { runApartFor } from './apart.ts'
import { answerNow, applied, approvalOf, ask, openRequest, passes } from './approval.ts'
import { type Approval, gateFor, judgeOperation, NO_RULES } from './approval-rules.ts'
import { type Invoked, WriteOptionsInput } from './call.ts'
import { Change } from './change.ts'
import { type CarryOut, MustWait, outdated, requesterOf } from './change-request.ts'
import { inMemoryWriter } from './config-in-memory.ts'
import type { OperationContext } from './context.ts'
import {
  type Attempt,
  attemptOf,
  type Invoke,
  isIdempotent,
  type Operation,
  type Registry,
  remember,
  replay,
} from './define.ts'
import type { Changed } from './diff.ts'
import type { CheckFragment } from './fragments.ts'
import { demandInputSize, parsePaused } from './parse-input.ts'
import { accessOf, asStepUp, denial, mayCall } from './permission.ts'
import type {
  CredentialProbe,
  Explainer,
  ExportJobs,
  GuardrailTrials,
  LimitReader,
  NodePort,
  OriginAuthorizations,
  OriginProbe,
  RecordQueries,
  Replayer,
  SinkPort,
  TriggerCaptures,
  UpstreamWatch,
  WorkflowTrials,
} from './ports.ts'
import { redacted } from './redact.ts'
import { getRef } from './refs.ts'
import { select, takeSelection } from './select.ts'
import {
  appendEntry,
  appendItems,
  type Call,
  type Ending,
  isBeyondScope,
  isDenial,
  keepRevision,
  noteRead,
  noteRefusal,
  subjectOf,
} from './trail.ts'
import { fromWriteOptions, type WriteOptions } from './write-options.ts'

export interface InvokeDeps {
  readonly registry: Registry
  readonly store: ConfigStore
  readonly vault: Vault
  readonly clock: Clock
  readonly records: RecordQueries
  readonly explainer: Explainer
  readonly replayer: Replayer
  readonly trials: WorkflowTrials
  readonly captures: TriggerCaptures
  readonly nodes: NodePort
  readonly sinks: SinkPort
  readonly guardrails: GuardrailTrials
  readonly credentials: CredentialProbe
  readonly origins: OriginProbe
  readonly authorizations: OriginAuthorizations
  readonly egress: OperationContext['egress']
  readonly upstreams: UpstreamWatch
  readonly limits: LimitReader
  readonly exports: ExportJobs
  readonly localSignIn: OperationContext['localSignIn']
  readonly mappedGrants: OperationContext['mappedGrants']
  readonly gatewayOrigin: OperationContext['gatewayOrigin']
  readonly instance: OperationContext['instance']
  readonly settings: OperationContext['settings']
  readonly trail: OperationContext['trail']
  readonly publisher: Publisher
  /** Names what compiles fragments in this process. */
  readonly compiler?: string
  /**
   * Told of grants that have ended, and of accounts at origins that were removed or switched: tokens of them count no longer. Resolves to
   * true while another node may still accept them. Never rejects.
   */
  readonly grantsEnded?: (ids: readonly string[]) => Promise<Acknowledged>
  /** Told of an account at an origin that a change has removed, so that its tokens are revoked there. */
  readonly connectionEnded?: (connection: StoredConnection) => void
  /** Judges a compiled fragment as gateway threads will; what it finds refuses the change. */
  readonly check?: CheckFragment
  /** Called with faults that no caller sees. */
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
    const asked = fromWriteOptions(options)
    demandStorable(asked)
    const faulty = WriteOptionsInput.safeParse(asked).error
    if (faulty !== undefined) throw toInputInvalid(faulty, WriteOptionsInput)
    const vain = operation.without?.find((name) => asked[name] !== undefined && asked[name] !== false)
    if (vain !== undefined)
      throw refuse('input_invalid', {
        detail: `${operation.resource}.${operation.action} acts once on the current state, so it does not support ${vain}.`,
        errors: [{ pointer: `/${vain}`, reason: 'not for this operation' }],
      })
    demandInputSize(input, operation.large === true)
    await inSlices(demandStorablePaused(input))
    const parsed =
      operation.large === true
        ? await inSlices(parsePaused(operation.input, input))
        : operation.input.safeParse(input)
    if (!parsed.success) throw toInputInvalid(parsed.error, operation.input)
    const call: Call = { ...coarse, input: parsed.data, isParsed: true }
    return operation.effect === 'read' ? read(deps, call) : write(deps, call)
  }
}

/** The reason is kept for long, in several places, and read by many: a secret that stands in it is in none of them. */
function withReason(options: WriteOptions): WriteOptions {
  return options.reason === undefined ? options : { ...options, reason: maskText(options.reason) }
}

/**
 * Notes a refusal of a known principal and makes it. What was asked is read for the entry alone; of an input that is not valid, or whose
 * rest was not read, the id that names the resource.
 */
async function deny(deps: InvokeDeps, call: Call, input: unknown): Promise<Refusal> {
  const refusal = asStepUp(denial(call.operation.permission), call.principal)
  const parsed = call.operation.input.safeParse(input)
  const asked = parsed.success
    ? { ...call, input: parsed.data, isParsed: true }
    : { ...call, input: Named.safeParse(input).data ?? {} }
  await noteRefusal(asked, undefined, refusal, deps)
  return refusal
}

/** All that is kept of an input that is not valid. */
const Named = z.object({ id: Ref })

async function read(deps: InvokeDeps, call: Call): Promise<Invoked> {
  const { selection, input } = takeSelection(call.operation, call.input)
  const context = contextOf(deps, call, deps.store.read, null)
  const output = await readOutput(deps, { ...call, input }, context)
  const content = await call.operation.content?.open(output, context)
  const { noted, notes } = call.operation
  if (noted !== undefined && notes?.(input) !== false) await noteRead(call, output, deps)
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
  const isOnce = !dryRun && options.idempotencyKey !== undefined
  const attempt = isOnce ? attemptOf(operation, input, options, principal, vault) : null
  let change: Change | undefined
  let acknowledging: Promise<Acknowledged> | undefined
  try {
    const known = await answeredBefore(deps, call, attempt)
    if (known !== undefined) {
      const { pending, nodes = [] } = await confirm(deps, via.requestId)
      return { ...known, pending, pendingNodes: nodes }
    }
    const reading = contextOf(deps, call, store.read, null)
    const prepared = (await operation.prepare?.(input, reading)) ?? input
    const result = await store.write(
      async (transaction) => {
        const writer = await writerFor(operation, transaction)
        const approval = await rulesFor(deps, call, transaction)
        change = createChange(deps, call, writer, approval)
        return transact(deps, call, prepared, change, attempt, approval)
      },
      {
        rollback: dryRun,
        // Publish within the commit, before the audit mark moves
        committed: async ({ revision, isRepetition }) => {
          // A change that fails, or waits for approval, ends nothing
          const ended = change === undefined ? [] : endedIn(change)
          const spread = ended.length > 0 ? deps.grantsEnded?.(ended) : undefined
          for (const one of change?.endedConnections ?? []) deps.connectionEnded?.(one)
          acknowledging = isRepetition && ended.length === 0 ? confirm(deps, via.requestId) : spread
          if (revision === null) return
          const sent = publish(deps, revision)
          acknowledging = sent
            .then(async ({ acknowledged }) => bothOf(await acknowledged, await spread))
            .catch((error: unknown) => {
              // The change is committed, so the caller gets its result
              deps.fault?.(error, via.requestId)
              return { pending: true }
            })
          await sent.catch(() => {})
        },
      },
    )
    const { pending, nodes = [] }: Acknowledged = (await acknowledging) ?? { pending: false }
    const settled = dryRun || pending || change === undefined ? {} : await settle(deps, change, via.requestId)
    return { ...result.answer, output: { ...result.answer.output, ...settled }, pending, pendingNodes: nodes }
  } catch (cause) {
    if (cause instanceof MustWait) return ask(deps, call, cause, attempt)
    const error = asStepUp(cause, principal)
    const isDenied = isDenial(error) || (await isBeyondScope(error, store.read))
    if (!dryRun || isDenied) await noteRefusal(call, change, error, deps, isDenied)
    throw error
  }
}

/**
 * Whether what was changed and ended before is in force on all nodes, for an answer that has changed nothing: whoever repeats a change until
 * it is not pending must not learn too early that it is not. Never rejects.
 */
async function confirm(
  { publisher, grantsEnded, fault }: InvokeDeps,
  requestId: string,
): Promise<Acknowledged> {
  if (publisher.confirm === undefined) return { pending: false }
  try {
    const [revision, ended] = await Promise.all([publisher.confirm(), grantsEnded?.([])])
    return bothOf(revision, ended)
  } catch (error) {
    fault?.(error, requestId)
    return { pending: true }
  }
}

/** A change is in force everywhere when its revision is, and what it has ended. */
function bothOf(revision: Acknowledged, ended: Acknowledged = { pending: false }): Acknowledged {
  const nodes = [...new Set([...(revision.nodes ?? []), ...(ended.nodes ?? [])])]
  return { pending: revision.pending || ended.pending, nodes }
}

/** The rules for approval that hold for the call; those of operations on no surface are about something else that was proved. */
async function rulesFor(
  { registry, vault, clock }: InvokeDeps,
  call: Call,
  reader: ConfigReader,
): Promise<Approval> {
  const gate = registry.operations.includes(call.operation) ? await gateFor(call.principal, reader) : null
  return gate === null ? NO_RULES : approvalOf(gate, call, reader, vault, clock.now())
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

/** Ids that a change has ended. A connection is to gateway threads what a grant is: an id that counts no longer. */
function endedIn({ endedGrants, endedConnections, switchedConnections }: Change): readonly string[] {
  return [...endedGrants, ...endedConnections.map(({ id }) => id), ...switchedConnections]
}

/** Rejects, as its publisher may, and never throws. */
async function publish({ publisher }: InvokeDeps, revision: number): Promise<Sent> {
  return publisher.publish(revision)
}

/** What follows a change that has happened: a fault there is not the caller's. */
async function settle(deps: InvokeDeps, change: Change, requestId: string): Promise<Fields> {
  try {
    return await change.settle()
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
    return {
      answer: await answerNow(known, change.writer, now),
      revision: null,
      isRepetition: known.status !== 202,
    }
  const done = await perform(deps, approvedCall(call, approval), prepared, change, approval)
  if (attempt !== null) await remember(change.writer, attempt, done.answer, change.isRevealing, now)
  return done
}

/** Does what an operation says, and tells of it, in the transaction of the change. */
async function perform(
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
  const ended = endedUsers(change.changes)
  // Only a change that ends users joins: until it has committed, nobody else gets a token
  for (const id of ended) await change.endSignIns(id)
  for (const id of movedOrigins(change.changes)) await change.endConnections(id)
  const outcome = await change.finish()
  const passed =
    approval === NO_RULES
      ? { answer: {}, notes: [] }
      : passes(approval, change.shown(outcome), call, subjectOf(call, change, output))
  if (outcome.revision !== null) await keepRevision(call, change, outcome.revision, now)
  if (outcome.revision !== null && outcome.fragments !== null && options.dryRun !== true)
    await change.writer.putFragments(outcome.revision, outcome.fragments, deps.compiler)
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
  const detail = [...(change.finding === undefined ? [] : [change.finding]), ...passed.notes].join(' ')
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
      response: redacted(output, operation.output),
    },
    deps.clock,
  )
  const isRepetition = configRevision === null && isIdempotent(operation)
  return { answer, revision: configRevision, isRepetition }
}

async function writerFor({ inMemory }: Operation, writer: ConfigWriter): Promise<ConfigWriter> {
  return inMemory === true ? inMemoryWriter(writer) : writer
}

/** What the principal of a call may change in a transaction. */
function createChange(deps: InvokeDeps, call: Call, writer: ConfigWriter, approval: Approval): Change {
  return new Change({
    gate: approval.gate,
    approved: approval.approved,
    writer,
    access: accessOf(call.principal, writer),
    permission: call.operation.permission,
    vault: deps.vault,
    clock: deps.clock,
    options: call.options,
    author: call.principal.name,
    kindOf: deps.registry.kindOf,
    check: deps.check ?? (async () => []),
    apart: runApartFor(call.principal.id, { isUrgent: true, left: call.via.left }),
  })
}

/** The call, with who has approved it for the trail. */
function approvedCall(call: Call, { approved }: Approval): Call {
  const by = approved?.decided_by ?? null
  return by === null ? call : { ...call, via: { ...call.via, approver: { ...by, type: 'user' } } }
}

/** Revision of the resource that an answer is; null of what has none. */
function revisionOf(output: Record<string, unknown>): number | null {
  return typeof output['revision'] === 'number' ? output['revision'] : null
}

/** What a handler is given; `change` is null for a read. */
function contextOf(
  deps: InvokeDeps,
  call: Call,
  reader: ConfigReader,
  change: Change | null,
): OperationContext {
  const { operation, principal, via, options } = call
  const access = accessOf(principal, reader)
  return {
    principal,
    via,
    options,
    clock: deps.clock,
    records: access.records(deps.records),
    explainer: deps.explainer,
    replayer: deps.replayer,
    trials: deps.trials,
    captures: deps.captures,
    nodes: deps.nodes,
    sinks: deps.sinks,
    guardrails: deps.guardrails,
    credentials: deps.credentials,
    origins: deps.origins,
    authorizations: deps.authorizations,
    egress: deps.egress,
    apart: runApartFor(principal.id, { isUrgent: change !== null, left: via.left }),
    upstreams: deps.upstreams,
    limits: deps.limits,
    exports: deps.exports,
    localSignIn: deps.localSignIn,
    mappedGrants: deps.mappedGrants,
    gatewayOrigin: deps.gatewayOrigin,
    instance: deps.instance,
    settings: deps.settings,
    trail: deps.trail,
    vault: deps.vault,
    reader: access.reader,
    whole: reader,
    get change(): Change {
      if (change === null) throw new Error('A read has no transaction to change anything in.')
      return change
    },
    async find(type, ref, permission = operation.permission) {
      const found = await getRef(access.reader, type, ref)
      await access.reach(permission, found)
      return found
    },
    callable: () =>
      deps.registry.operations
        .filter((one) => mayCall(principal, one))
        .map(({ resource, action }) => `${resource}.${action}`),
    require(permission) {
      if (!permits(principal, permission)) throw denial(permission)
    },
    allows: (permission, resource) => access.allows(permission, resource),
    demand: (permission, resource) => access.demand(permission, resource),
    carryOut: createCarryOut(deps, call, change),
  }
}

/** Does what others asked for, in the transaction of `outer`. */
function createCarryOut(deps: InvokeDeps, { options }: Call, outer: Change | null): CarryOut {
  const asAsked = async (request: StoredChangeRequest, reader: ConfigReader): Promise<Call> => {
    const asked = openRequest(request, deps)
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
        const writer = await writerFor(call.operation, outer.writer)
        const approval = { gate: null, approved: request, isRepeated: false, isWayOut: false }
        const change = createChange(deps, call, writer, approval)
        // What its own preparation gave
        const approved = approvedCall(call, approval)
        const done = await perform(deps, approved, prepared as Call['input'], change, approval)
        outer.carried = { revision: done.revision }
        outer.afterwards(async () => {
          await change.settle()
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

/** Ids of users who were active and are no more. */
function endedUsers(changes: readonly Changed[]): readonly string[] {
  return changes.flatMap(({ kind, before, after }) =>
    kind.type === 'users' && before?.spec['active'] === true && after?.spec['active'] !== true
      ? [before.id]
      : [],
  )
}

/** Origins that were deleted, or whose server is another one now: tokens for the one before are not for it. */
function movedOrigins(changes: readonly Changed[]): readonly string[] {
  return changes.flatMap(({ kind, before, after }) =>
    kind.type === 'origins' && before !== null && accountsAt(before.spec) !== accountsAt(after?.spec)
      ? [before.id]
      : [],
  )
}

/** What accounts at an origin are for; empty where there are none. */
function accountsAt(spec: Fields | undefined): string {
  const { url, auth_mode } = (spec ?? {}) as Partial<OriginSpec>
  // Specs stored by earlier versions have no mode
  return auth_mode === undefined || auth_mode === 'static' ? '' : `${auth_mode} ${url}`
}
