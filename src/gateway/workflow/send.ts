import { SYSTEM_AMBIENT } from '../../base/expression/expression.ts'
import type { Plain } from '../../base/json/storable.ts'
import { WORKFLOW_LEVELS_MAX } from '../../model/bounds.ts'
import {
  type NodeCaller,
  NodeFailure,
  type NodeRate,
  type NodeValues,
  type RateTaken,
  type ServiceQuestion,
  type UpstreamRequest,
} from '../../nodes/run.ts'
import { OVERLOADED, type ServiceLogin, type ServiceResult, type ServiceTask } from '../../services/port.ts'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import {
  keyFor,
  type LimitPlan,
  type PlannedLimit,
  partOf,
  planLimit,
  toPlan,
} from '../../snapshot/find/limit-plan.ts'
import { beforeRotation } from '../../snapshot/link/credential.ts'
import { linkLimit } from '../../snapshot/link/small-kinds.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import type { NodeServers, TargetTemplate } from '../../snapshot/linked-types/collection.ts'
import type { LinkedCredential } from '../../snapshot/linked-types/credential.ts'
import { withoutFields } from '../../wire/port.ts'
import { answerFields } from '../answer/answer-headers.ts'
import { watchOf } from '../answer/answer-stages.ts'
import { type End, Exchange, type GatheredAnswer, type Routed, startedOutcome } from '../exchange.ts'
import { budgetOf, holderIn, mayKeep } from '../exchange-memory.ts'
import { firstFieldValue } from '../request-headers.ts'
import type { Life } from '../stage-types.ts'
import {
  answerValues,
  bodyBytes,
  type FieldList,
  type RunAnswer,
  readFields,
  requestValues,
  runAnswer,
  toLines,
} from './body.ts'
import { linkedPlanOf, linkedShared } from './linked.ts'
import { type RunEnd, type RunTools, WorkflowRun } from './run.ts'
import { CODING, callServer, isSendable, toPath, toQuery } from './server-call.ts'
import { type Done, startCall } from './step-call.ts'
import { callTool } from './tool-call.ts'
import { RunTrace } from './trace.ts'

/** Has the workflow of the proxy answer an admitted request. The rows that look at answers look at this one too. */
export function runWorkflow(exchange: Routed, life: Life): void {
  const linked = exchange.triedWorkflow?.plan ?? linkedPlanOf(exchange)
  const { captured } = exchange
  const plan = linked === null || captured === null ? linked : captured.plan(linked)
  if (plan === null) {
    life.failed(exchange, 'workflow_failed', 'the workflow of the proxy cannot be run')
    return
  }
  const run = new WorkflowRun(plan, {
    ...surroundingsOf(exchange, life),
    fault: exchange.lane.fault,
    ended(end) {
      exchange.gathering = null
      captured?.ended()
      if (!end.ok) fail(exchange, life, end)
      else if ('forward' in end) forward(exchange, life, end.forward.path)
      else give(exchange, life, end.answer)
    },
  })
  exchange.gathering = run
  run.begin()
}

function fail(
  exchange: Routed,
  life: Life,
  { code, reason, told }: Extract<RunEnd, { readonly ok: false }>,
): void {
  if (told?.facts !== undefined) exchange.facts = told.facts
  if (told?.retryAfterMs !== undefined) exchange.retryAfterMs = told.retryAfterMs
  life.failed(exchange, code, reason)
}

/** Goes on as a request without a workflow: bodies stream. */
function forward(exchange: Routed, life: Life, path: unknown): void {
  const { proxy } = exchange
  const direct = {
    ...proxy.direct!,
    fragment: { ...proxy.direct!.fragment, features: proxy.fragment.features },
  }
  try {
    const target = path === undefined ? direct.target : fixedTarget(toPath(path))
    exchange.proxy = { ...direct, target }
  } catch (error) {
    // toPath throws nothing else
    life.failed(exchange, 'workflow_failed', `path: ${(error as NodeFailure).message}`)
    return
  }
  life.step(exchange)
}

/** What is always the same path. */
function fixedTarget(path: string): TargetTemplate {
  return { pieces: [path], refs: [], values: () => [], isPartial: false }
}

function give(exchange: Routed, life: Life, outputs: Plain): void {
  const { upstreamAt, upstreamHeadAt } = exchange.outcome
  const responseFields = answerFields(exchange)
  let made: RunAnswer
  try {
    made = runAnswer(outputs, exchange.requestId)
  } catch (error) {
    if (!(error instanceof NodeFailure)) exchange.lane.fault(error)
    const reason = error instanceof NodeFailure ? error.message : 'fault'
    life.failed(exchange, 'workflow_failed', `the response: ${reason}`)
    return
  }
  const { status, fields, body } = made
  const answer: GatheredAnswer = {
    ok: true,
    status,
    fields: fields + responseFields,
    body,
    bodyBytes: body.length,
    truncated: body.length > exchange.end.keepBytesMax,
    isUnheld: !mayKeep(exchange, body),
    upstreamAt,
    upstreamHeadAt,
  }
  life.answered(exchange, { tap: watchOf(life.watching, exchange), responseFields }, answer)
}

// What a run asks of its surroundings, in the name of the caller of the request. A workflow that another one runs sees the same
// request with the input as its body. It takes its time and its executions from the budget of the outer run, and has counters and
// kept values of its own.

/** Where a run stands. */
interface Place {
  /** What its counters and values belong to. */
  readonly scope: string
  /** 0 for the run that answers the request. */
  readonly level: number
  /** What its nodes ask beside the upstream. */
  readonly servers: NodeServers | null
  readonly budget: RunTools['budget']
  readonly trace: RunTrace
  readonly within: string
  /** Body of the request that its trigger gives; undefined for the body of the caller. */
  readonly input?: unknown
}

/** Steps of all expressions of a request together: they bound the time and the memory that a run takes without waiting. */
const STEPS_MAX = 50_000

type Surroundings = Omit<RunTools, 'fault' | 'ended'>

/** Of the run that answers the request. */
function surroundingsOf(exchange: Routed, life: Life): Surroundings {
  const trace = new RunTrace(exchange.lane.clock.monotonic)
  exchange.trace = trace
  const budget = { executions: 0, steps: STEPS_MAX }
  return surroundingsAt(exchange, life, {
    scope: scopeOf(exchange),
    level: 0,
    servers: serversOf(exchange),
    budget,
    trace,
    within: '',
  })
}

function surroundingsAt(exchange: Routed, life: Life, place: Place): Surroundings {
  const { scope, level, servers, budget, trace, within, input } = place
  const runs = new Map<string, number>()
  const holder = holderIn(exchange)
  return {
    request: requestValues(exchange, input),
    ambient: { ...SYSTEM_AMBIENT, now: exchange.lane.clock.now, budget },
    caller: callerOf(exchange),
    budget,
    trace,
    within,
    isInner: level > 0,
    callUpstream: (asked, done) =>
      callUpstream(exchange, life, input === undefined ? asked : { body: input, ...asked }, done),
    askService: (question, done) => askService(exchange, holder, question, done),
    callServer: (node, asked, done) => callServer(exchange, life, servers?.get(node), asked, done),
    runWorkflow(node, id, given, done) {
      const run = runs.get(node) ?? 0
      runs.set(node, run + 1)
      const inner = `${within === '' ? '' : `${within}/`}${node}[${run}]`
      return runShared(exchange, life, { ...place, within: inner }, id, given, done)
    },
    callTool: (tool, given, done) => callTool(exchange, tool, given, done),
    holder,
    code: exchange.lane.code,
    takeRate: (node, rate, key, cost) => takeRate(exchange, `${scope}/${node}`, rate, key, cost),
    values: valuesOf(exchange, scope),
  }
}

/**
 * Runs a shared workflow within a run; tells `done` later, never at once. The function that it returns gives the run up.
 * @throws NodeFailure for a workflow that cannot be run there
 */
function runShared(
  exchange: Routed,
  life: Life,
  { level, budget, trace, within }: Place,
  id: string,
  input: unknown,
  done: (outputs: Plain | NodeFailure) => void,
): () => void {
  if (level >= WORKFLOW_LEVELS_MAX)
    throw new NodeFailure('depth', `workflows run within one another more than ${WORKFLOW_LEVELS_MAX} deep`)
  const plan = linkedShared(exchange, id)
  if (plan === null) throw new NodeFailure('workflow', 'the workflow has faults, so it cannot be run')
  const place: Place = {
    scope: `workflow:${id}`,
    level: level + 1,
    servers: sharedServers(exchange, id),
    budget,
    trace,
    within,
    input: input ?? null,
  }
  const run = new WorkflowRun(plan, {
    ...surroundingsAt(exchange, life, place),
    fault: exchange.lane.fault,
    ended: (end) => done(outputsOf(end, exchange.requestId)),
  })
  queueMicrotask(() => run.begin())
  return () => run.abort()
}

function outputsOf(end: RunEnd, requestId: string): Plain | NodeFailure {
  // An inner run forwards nothing
  if (!end.ok || !('answer' in end)) {
    const { code, reason, told } = end as Extract<RunEnd, { readonly ok: false }>
    return new NodeFailure(code === 'upstream_timeout' ? 'timeout' : code, reason, code, told)
  }
  try {
    return answerValues(end.answer, requestId)
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error
    return new NodeFailure(error.kind, `the response: ${error.message}`)
  }
}

/** What its counters and values belong to: the shared workflow, or the proxy that has one of its own. */
function scopeOf({ proxy }: Routed): string {
  const { workflow } = proxy.fragment
  return typeof workflow === 'string' ? `workflow:${workflow}` : `proxy:${proxy.id}`
}

function serversOf(exchange: Routed): NodeServers | null {
  if (exchange.triedWorkflow !== null) return exchange.triedWorkflow.servers
  const { workflow } = exchange.proxy.fragment
  return typeof workflow === 'string' ? sharedServers(exchange, workflow) : exchange.proxy.servers
}

function sharedServers({ snapshot }: Routed, id: string): NodeServers | null {
  return snapshot.workflows.get(id)?.servers ?? null
}

function callerOf({ identity: { client, profile, subject, claims } }: Routed): NodeCaller {
  return { client: client.id, profile: profile.id, subject, claims }
}

// Values that the workflows of all gateway threads keep. Each workflow, or proxy with a workflow of its own, has keys of its own.

/** @param scope Of the workflow; without a line break, so that no key of one is that of another. */
function valuesOf({ lane: { keptValues, clock } }: Routed, scope: string): NodeValues {
  const within = (key: string): string => `${scope}\n${key}`
  return {
    get(key) {
      const found = keptValues.get(within(key), clock.now())
      return found && { json: Buffer.from(found.bytes).toString(), isFresh: found.isFresh }
    },
    set(key, json, { freshMs, staleMs }) {
      const keptAt = clock.now()
      const freshUntil = keptAt + freshMs
      const times = { keptAt, freshUntil, staleUntil: freshUntil + staleMs }
      return keptValues.set(within(key), Buffer.from(json), times)
    },
    delete: (key) => keptValues.delete(within(key)),
  }
}

// Questions of nodes to databases and mail servers, with a credential of the configuration.

/** Kind of a failure by which a server refuses a credential. */
const REFUSED_LOGIN = 'login'

/**
 * Asks a server. `done` is told later, never at once. A credential that is refused after its rotation is followed by what it was before.
 * @returns what gives the question up
 * @throws NodeFailure where the credential cannot be used
 */
function askService(
  exchange: Routed,
  holder: string,
  { to, credential: id, work }: ServiceQuestion,
  done: (answer: unknown) => void,
): () => void {
  const { services } = exchange.lane
  if (services === null) throw new NodeFailure('lost', 'servers cannot be called here')
  const credential = id === null ? null : credentialOf(exchange, id)
  const before = (): LinkedCredential | null => {
    const previous = beforeRotation(credential?.previous ?? null, exchange.lane.clock.now())
    return previous === null || previous.credential.login === null ? null : previous.credential
  }
  const run = (login: ServiceLogin | null, ended: (result: ServiceResult) => void): (() => void) =>
    services.run({ holder, to, login, work } satisfies ServiceTask, ended)
  const end = (result: ServiceResult): void => done(answerOf(exchange, result))
  let giveUp = run(loginOf(credential), (result) => {
    const isRefused = !result.ok && result.kind === REFUSED_LOGIN
    const other = isRefused ? before() : null
    if (other !== null) giveUp = run(loginOf(other), end)
    else end(result)
  })
  return () => giveUp()
}

function credentialOf(exchange: Routed, id: string): LinkedCredential {
  const credential = exchange.snapshot.credentials.get(id)
  if (credential === undefined || credential.login === null)
    throw new NodeFailure('credential', `credential ${id} is not available`, 'credential_unavailable')
  credential.usedAt = exchange.now
  return credential
}

function loginOf(credential: LinkedCredential | null): ServiceLogin | null {
  const login = credential?.login ?? null
  return login && { username: login.username, password: login.password.reveal() }
}

/** The value, or a NodeFailure. */
function answerOf(exchange: Routed, result: ServiceResult): unknown {
  if (!result.ok) {
    const { kind, message } = result
    return new NodeFailure(kind, message, kind === OVERLOADED ? 'overloaded' : 'workflow_failed')
  }
  // Answers are kept until the run has ended
  if (!budgetOf(exchange).take(result.json.length))
    return new NodeFailure('memory', 'no memory is left for the response', 'overloaded')
  return JSON.parse(result.json) as unknown
}

// Rates of workflow nodes, on the counters that all gateway threads share. A counter is that of one key at one node of one
// workflow, or of one proxy with a workflow of its own. Keys count for the share of the client that calls, as other
// values that callers choose.

/** Leases that are asked for before a run gives up: another thread may take what came. */
const ASKED_MAX = 8

const limits = new WeakMap<NodeRate, Map<string, LinkedLimit>>()

/**
 * Takes `cost` units for a key; nothing where fewer are left, or where no counter is free.
 * @param place Of the node: the same in all threads.
 */
function takeRate(
  exchange: Routed,
  place: string,
  rate: NodeRate,
  key: string,
  cost: number,
): RateTaken | Promise<RateTaken> {
  const planned = { ...plannedAt(exchange, place, limitAt(rate, place)) }
  const { counters } = exchange.lane
  const whole = planned.limit.max
  const max = counters.leaseState === 'up' ? whole : partOf(whole, counters.nodes, cost)
  const plan = toPlan([{ ...planned, limit: { ...planned.limit, max, cost } }])
  const taken = take(exchange, plan, key)
  return taken === 'ask' ? takeLater(exchange, plan, key) : taken
}

function take({ lane: { counters, clock } }: Routed, plan: LimitPlan, key: string): RateTaken | 'ask' {
  const { low, high } = keyFor(plan.limits[0]!, key)
  counters.key(0, low, high)
  const refused = counters.take(plan, clock.now())
  if (refused === 'ask') return 'ask'
  return {
    isAdmitted: refused === -1,
    remaining: counters.remaining(0),
    resetMs: Math.ceil(counters.resetMs(0)),
  }
}

async function takeLater(exchange: Routed, plan: LimitPlan, key: string): Promise<RateTaken> {
  for (let asked = 0; asked < ASKED_MAX; asked++) {
    await exchange.lane.counters.ask()
    const taken = take(exchange, plan, key)
    if (taken !== 'ask') return taken
  }
  return { isAdmitted: false, remaining: 0, resetMs: 1000 }
}

function limitAt(rate: NodeRate, place: string): LinkedLimit {
  const known = limits.get(rate)
  const found = known?.get(place)
  if (found !== undefined) return found
  const { max, windowMs } = rate
  const made = linkLimit(
    { kind: 'policy', id: place, slug: 'workflow', active: true, limits: [] },
    { name: 'node', kind: 'rate', max, window_ms: windowMs },
  )
  if (known === undefined) limits.set(rate, new Map([[place, made]]))
  else known.set(place, made)
  return made
}

function plannedAt({ identity: { client } }: Routed, place: string, limit: LinkedLimit): PlannedLimit {
  const key = limitKeyOf(place)
  // The key alone chooses the counter, also for different clients
  return { ...planLimit(limit, 'proxy', key, client.key), isKeyed: true, place: key }
}

// A call of the upstream by a node of a workflow, with the caller of the run.

/** Bytes of an answer: a longer one fails the call. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024
const CONTENT_TYPE = 'content-type'
const JSON_TYPE = 'application/json'
const NOTHING = new Uint8Array(0)

/**
 * Makes the call. `done` is told later, never at once.
 * @returns what gives the call up
 * @throws NodeFailure for what is no request
 */
function callUpstream(outer: Routed, life: Life, asked: UpstreamRequest, done: Done): () => void {
  return startCall(outer, life, (end) => toExchange(outer, asked, end), ANSWER_BYTES_MAX, done)
}

function toExchange(outer: Routed, { method = outer.method, ...asked }: UpstreamRequest, end: End): Exchange {
  const { lane, snapshot, requestId, identity, collection, proxy } = outer
  const fields = readFields(asked.headers, isSendable)
  const body = toBody(outer, asked.body, fields)
  const exchange = new Exchange(
    lane,
    end,
    startedOutcome(lane.clock.monotonic(), body.bytes.length),
    requestId,
    outer.now,
    snapshot,
    outer.surface,
    method,
    asked.path === undefined ? outer.path : below(outer, toPath(asked.path)),
    outer.host,
    outer.ip,
    body.bytes.length,
  )
  exchange.identity = identity
  exchange.collection = collection
  exchange.proxy = asked.path === undefined ? proxy.direct : { ...proxy.direct!, target: null }
  exchange.secure = outer.secure
  exchange.traceParent = outer.traceParent
  exchange.traceState = outer.traceState
  exchange.query = asked.query === undefined ? outer.query : toQuery(asked.query)
  const replaced = new Set([CODING, ...fields.keys(), ...(body.type === null ? [] : [CONTENT_TYPE])])
  const type = body.type === null ? '' : `Content-Type: ${body.type}\r\n`
  exchange.pass = withoutFields(outer.pass, replaced) + type + toLines(fields)
  exchange.withheld = outer.withheld
  exchange.body = body.bytes
  // Answers are kept until the run has ended
  budgetOf(outer)
  exchange.reservation = outer.reservation
  return exchange
}

/** @returns type null where that of the caller, or that of the fields, stands */
function toBody(
  outer: Routed,
  value: unknown,
  fields: FieldList,
): { readonly bytes: Uint8Array; readonly type: string | null } {
  if (value === undefined) return { bytes: outer.body ?? NOTHING, type: null }
  const named = fields.get(CONTENT_TYPE)?.[0]
  const received = firstFieldValue(outer.pass, CONTENT_TYPE)
  const isData = typeof value !== 'string' && !(value instanceof Uint8Array)
  const type = named ?? (isData ? JSON_TYPE : (received ?? 'text/plain; charset=utf-8'))
  const bytes = bodyBytes(value, type)
  return { bytes, type: named !== undefined || bytes.length === 0 ? null : type }
}

/** Below the base path of the collection, whose place the path of the upstream takes. */
function below({ collection }: Routed, path: string): string {
  return collection.fragment.base_path + (path === '/' ? '' : path)
}
