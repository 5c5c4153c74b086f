/**
 * What a run asks of its surroundings, in the name of the caller of the request. A workflow that another one runs sees the same
 * request with the input as its body. It takes its time and its executions from the budget of the outer run, and has counters and
 * kept values of its own.
 */
import { SYSTEM_AMBIENT } from '../../base/expression/expression.ts'
import type { Plain } from '../../base/json/plain.ts'
import { WORKFLOW_LEVELS_MAX } from '../../model/bounds.ts'
import { type NodeCaller, NodeFailure } from '../../nodes/run.ts'
import type { NodeServers } from '../../snapshot/linked/collection.ts'
import type { Routed } from '../exchange.ts'
import type { Life } from '../rows.ts'
import { answerValues } from './answer.ts'
import { askService } from './ask-service.ts'
import { linkedShared } from './linked.ts'
import { takeRate } from './rate.ts'
import { requestValues } from './request-values.ts'
import { type RunEnd, type RunTools, WorkflowRun } from './run.ts'
import { callServer } from './server-call.ts'
import { callTool } from './tool-call.ts'
import { RunTrace } from './trace.ts'
import { callUpstream } from './upstream-call.ts'
import { valuesOf } from './values.ts'

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
export function surroundingsOf(exchange: Routed, life: Life): Surroundings {
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
    askService: (question, done) => askService(exchange, question, done),
    callServer: (node, asked, done) => callServer(exchange, life, servers?.get(node), asked, done),
    runWorkflow(node, id, given, done) {
      const run = runs.get(node) ?? 0
      runs.set(node, run + 1)
      const inner = `${within === '' ? '' : `${within}/`}${node}[${run}]`
      return runShared(exchange, life, { ...place, within: inner }, id, given, done)
    },
    callTool: (tool, given, done) => callTool(exchange, tool, given, done),
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
