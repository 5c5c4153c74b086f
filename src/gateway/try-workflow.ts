/**
 * Trials of workflows. Without effects, a run has a request that nobody made and surroundings that stand in for counters, kept values
 * and calls. A live one is a request of its own: it passes the checks of a repeated request, its calls are made, and it has a record.
 */
import { ExpressionFailure, SYSTEM_AMBIENT } from '../base/expression/expression.ts'
import type { Plain } from '../base/json/storable.ts'
import { ownedBytes, ownedText } from '../base/memory/bytes.ts'
import { PROBLEMS, type RefusalCode } from '../base/refusal.ts'
import { WORKFLOW_LEVELS_MAX } from '../model/bounds.ts'
import type { LiveTrial, TrialAnswer, TrialAsked } from '../model/workflow/trial.ts'
import { type NodeCaller, NodeFailure, type NodeValues } from '../nodes/run.ts'
import { linkNodeServers } from '../snapshot/link/own-route.ts'
import type { PlanFragment } from '../snapshot/plan.ts'
import { type AsProfileOptions, callAsProfile } from './ends/call-as-profile.ts'
import type { TriedWorkflow } from './exchange.ts'
import { endOf } from './identify/active.ts'
import { declaredAgent } from './record.ts'
import { answerValues, runAnswer, toFieldObject } from './workflow/body.ts'
import { linkedPlan } from './workflow/linked.ts'
import { type RunEnd, type RunTools, WorkflowRun } from './workflow/run.ts'
import { RunTrace } from './workflow/trace.ts'
import { TrialWatch } from './workflow/watched-plan.ts'

/** A live trial that takes longer is given up. */
const WAIT_MS = 31_000
/** Bytes of the answer of a run without effects that are kept. */
const KEEP_BYTES_MAX = 64 * 1024
/** Steps of all expressions of a run. */
const STEPS_MAX = 50_000

const CANNOT_RUN = 'the workflow cannot be run'

/** A trial, as it is sent to a gateway thread. */
export type WorkflowTrial = TrialAsked<PlanFragment>

type Options = Pick<AsProfileOptions, 'lane' | 'snapshot' | 'secure'>

/** Runs the workflow once. Null where a live trial had no whole answer in time. Never rejects. */
export function tryWorkflow(asked: WorkflowTrial, options: Options): Promise<TrialAnswer | null> {
  return asked.live === null ? simulated(asked, options) : live(asked, asked.live, options)
}

function simulated(asked: WorkflowTrial, { lane, snapshot }: Options): Promise<TrialAnswer> {
  const { request, requestId, client, profile } = asked
  const inForce = snapshot()
  const watch = new TrialWatch(asked.mocks, false)
  const trace = new RunTrace(lane.clock.monotonic)
  const startedAt = lane.clock.monotonic()
  const budget = { executions: 0, steps: STEPS_MAX }
  const { claims } = request
  const seen: Plain = { ...request, id: requestId, client: client.slug, profile: profile.slug }
  const surroundings = (scope: string, level: number, within: string, body: unknown) => {
    const runs = new Map<string, number>()
    const tools: Omit<RunTools, 'ended'> = {
      request: { ...seen, body },
      ambient: { ...SYSTEM_AMBIENT, now: lane.clock.now, budget },
      caller: callerOf(client.id, profile.id, claims),
      holder: 'trial',
      code: lane.code,
      values: scopedValues(values, scope, lane.clock.now),
      budget,
      trace,
      within,
      isInner: level > 0,
      takeRate: (_node, { max, windowMs }, _key, cost) => ({
        isAdmitted: true,
        remaining: max - cost,
        resetMs: windowMs,
      }),
      callUpstream: refuseCall,
      callServer: refuseCall,
      callTool: refuseCall,
      askService: refuseCall,
      runWorkflow(node, id, input, done) {
        if (level >= WORKFLOW_LEVELS_MAX)
          throw new NodeFailure(
            'depth',
            `workflows run within one another more than ${WORKFLOW_LEVELS_MAX} deep`,
          )
        const plan = inForce.workflows.get(id)?.plan ?? null
        if (plan === null) throw new NodeFailure('workflow', 'the workflow has faults, so it cannot be run')
        const number = runs.get(node) ?? 0
        runs.set(node, number + 1)
        const inner = `${within === '' ? '' : `${within}/`}${node}[${number}]`
        const run = new WorkflowRun(watch.plan(linkedPlan(plan), inner), {
          ...surroundings(id, level + 1, inner, input ?? null),
          ended: (end) => done(outputsOf(end, requestId)),
        })
        queueMicrotask(() => run.begin())
        return () => run.abort()
      },
      fault: lane.fault,
    }
    return tools
  }
  const values: Kept = new Map()
  return new Promise((resolve) => {
    const ended = (end: RunEnd): void => {
      const durationMs = lane.clock.monotonic() - startedAt
      const answer = answerOf(end, requestId)
      resolve({ ...answer, durationMs, trace: trace.close(null), steps: watch.steps })
    }
    try {
      new WorkflowRun(watch.plan(linkedPlan(asked.plan), ''), {
        ...surroundings('', 0, '', request.body),
        ended,
      }).begin()
    } catch (error) {
      lane.fault(error)
      ended({ ok: false, code: 'workflow_failed', reason: CANNOT_RUN })
    }
  })
}

type Answer = Omit<TrialAnswer, 'durationMs' | 'trace' | 'steps'>

function answerOf(end: RunEnd, requestId: string): Answer {
  if (!end.ok) return refusedWith(end.code, end.reason)
  // Plans of trials without effects forward nothing
  if (!('answer' in end)) return refusedWith('workflow_failed', 'the run was forwarded')
  try {
    const { status, fields, body } = runAnswer(end.answer, requestId)
    const kept = ownedBytes(body.subarray(0, KEEP_BYTES_MAX))
    const headers = toFieldObject(fields)
    return { status, code: null, reason: '', headers: { ...headers }, body: kept, bodyBytes: body.length }
  } catch (error) {
    if (!(error instanceof NodeFailure || error instanceof ExpressionFailure)) throw error
    return refusedWith('workflow_failed', `the response: ${error.message}`)
  }
}

function refusedWith(code: RefusalCode, reason: string): Answer {
  const { status } = PROBLEMS[code]
  return { status, code, reason, headers: {}, body: ownedText(''), bodyBytes: 0 }
}

function outputsOf(end: RunEnd, requestId: string): Plain | NodeFailure {
  if (!end.ok) return new NodeFailure(end.code, end.reason, end.code)
  if (!('answer' in end)) return new NodeFailure('workflow_failed', 'the run was forwarded')
  try {
    return answerValues(end.answer, requestId)
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error
    return new NodeFailure(error.kind, `the response: ${error.message}`)
  }
}

function callerOf(
  client: string,
  profile: string,
  claims: Readonly<Record<string, string | readonly string[]>>,
): NodeCaller {
  const entries = Object.entries(claims)
  const texts = new Map(
    entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )
  const lists = new Map(
    entries.flatMap(([name, value]) => (typeof value === 'string' ? [] : [[name, value]])),
  )
  const subject = claims['sub']
  return {
    client,
    profile,
    subject: typeof subject === 'string' ? subject : '',
    claims: Object.assign(texts, { lists }),
  }
}

/** Nodes that call something are simulated before they ask. */
function refuseCall(): never {
  throw new NodeFailure('simulated', 'a trial without live makes no calls')
}

type Kept = Map<string, { readonly json: string; readonly freshUntil: number; readonly staleUntil: number }>

/** Values that one trial keeps. */
function scopedValues(kept: Kept, scope: string, now: () => number): NodeValues {
  const within = (key: string): string => `${scope}\n${key}`
  return {
    get(key) {
      const found = kept.get(within(key))
      if (found === undefined || found.staleUntil <= now()) return null
      return { json: found.json, isFresh: found.freshUntil > now() }
    },
    set(key, json, { freshMs, staleMs }) {
      kept.set(within(key), { json, freshUntil: now() + freshMs, staleUntil: now() + freshMs + staleMs })
      return true
    },
    delete: (key) => void kept.delete(within(key)),
  }
}

/** Makes a request to the proxy, with the plan of the trial in the place of that of the proxy. */
async function live(
  asked: WorkflowTrial,
  { proxy, user, host, target, fields, body }: LiveTrial,
  options: Options,
): Promise<TrialAnswer | null> {
  const { client, profile, request, requestId } = asked
  const watch = new TrialWatch(asked.mocks, true)
  const tried = linkedTrial(asked.plan, proxy, watch, options.lane)
  if (tried === null)
    return { ...refusedWith('workflow_failed', CANNOT_RUN), durationMs: 0, trace: '', steps: [] }
  const { method, ip } = request
  const made = await callAsProfile(
    {
      ...{ requestId, method, client: client.id, profile: profile.id, ip, host, target, fields, body },
      agent: declaredAgent(),
    },
    {
      ...options,
      waitMs: WAIT_MS,
      prepare(exchange) {
        const { profile: found } = exchange.identity
        // The caller of a trial has no token: one of the profile must be in force
        const token = found?.client.tokens.find(
          (one) => one.profile === found && endOf(one, exchange.now) === null,
        )
        exchange.surface = 0
        exchange.replayed = { proxy, credentialId: token?.fragment.id ?? '', user }
        exchange.triedWorkflow = tried
        exchange.agent = null
      },
    },
  )
  if (made === null) return null
  const { answer, exchange } = made
  const { status, code, durationMs, bodyBytes } = answer
  return {
    ...{ status, code, durationMs, bodyBytes },
    reason: exchange.reason,
    headers: { ...toFieldObject(answer.fields) },
    body: ownedBytes(answer.body),
    trace: exchange.trace?.close(code) ?? '',
    steps: watch.steps,
  }
}

/** Null for a plan that cannot be linked. */
function linkedTrial(
  plan: PlanFragment,
  proxy: string,
  watch: TrialWatch,
  { fault }: Options['lane'],
): TriedWorkflow | null {
  try {
    // A definition that is not stored asks servers that no snapshot knows
    return { plan: watch.plan(linkedPlan(plan), ''), servers: linkNodeServers(plan, `${proxy}/trial`) }
  } catch (error) {
    fault(error)
    return null
  }
}
