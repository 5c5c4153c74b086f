/**
 * One run of a workflow, from its trigger to the first response.
 *
 * 1. A node runs once: when the first edge leads to it, or, where it joins branches, when its rule holds. The edges of a handle lead
 *    side by side.
 * 2. An edge that the run can take no more is dead, and so is a node all of whose edges are dead: what joins branches does not wait for
 *    them.
 * 3. A run ends once: with the first response, with a failure, when nothing is left to do, or when its caller leaves. Whatever it had
 *    under way is given up.
 * 4. A run is bounded in time ({@link RUN_MS}), in executions ({@link EXECUTIONS_MAX}) and in the steps of its expressions.
 */

import { timerMs } from '../../base/clock.ts'
import { ExpressionFailure } from '../../base/expression/expression.ts'
import type { Ambient, StepBudget } from '../../base/expression/functions/evaluation.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import {
  type FailureTold,
  type NodeCaller,
  type NodeContext,
  NodeFailure,
  type NodeResult,
  type NodeTool,
  type NodeValues,
  type ServiceQuestion,
} from '../../nodes/run.ts'
import type { CodeRunner } from '../../sandbox/port.ts'
import type { LinkedNode, LinkedPlan } from './linked-plan.ts'
import { RunningNode } from './node-context.ts'
import { RunSteps, type RunTrace } from './trace.ts'

/** What a run asks of its surroundings. */
export interface RunTools {
  readonly request: Plain
  /** The clock and chance of expressions. */
  readonly ambient: Ambient
  readonly caller: NodeCaller
  /**
   * Calls the upstream for a node; tells `done` later, never at once. The function that it returns gives the call up.
   * @throws NodeFailure for what is no request
   */
  readonly callUpstream: (
    request: Parameters<NodeContext['callUpstream']>[0],
    done: (outputs: Plain | NodeFailure) => void,
  ) => () => void
  /** Calls the server of a node, as {@link callUpstream} calls. @param node Id. */
  readonly callServer: (
    node: string,
    request: Parameters<NodeContext['callServer']>[0],
    done: (outputs: Plain | NodeFailure) => void,
  ) => () => void
  /** Calls a tool of an origin for a node, as {@link callUpstream} calls. */
  readonly callTool: (
    tool: NodeTool,
    given: unknown,
    done: (outputs: Plain | NodeFailure) => void,
  ) => () => void
  /** Who asks for code and servers apart from the gateway: holders share what these can do at a time. */
  readonly holder: string
  /** Runs code; null where none can be run. */
  readonly code: CodeRunner | null
  /** Runs a shared workflow for a node, as {@link callUpstream} calls. */
  readonly runWorkflow: (
    node: string,
    id: string,
    input: unknown,
    done: (outputs: Plain | NodeFailure) => void,
  ) => () => void
  /** Asks a server for a node, as {@link callUpstream} calls; `done` is told what it answers, or a NodeFailure. */
  readonly askService: (question: ServiceQuestion, done: (answer: unknown) => void) => () => void
  /** Of the run that answers the request, with all that it runs. */
  readonly trace: RunTrace
  /** In a trace: the node that runs the workflow, and the number of its run, such as `each[3]`. Empty for the outer run. */
  readonly within: string
  /** Of the run that answers the request, with all that it runs. */
  readonly budget: RunBudget
  /** It runs within another one, which bounds its time. */
  readonly isInner: boolean
  /** Takes units of a rate for a node. */
  readonly takeRate: (
    node: string,
    ...asked: Parameters<NodeContext['takeRate']>
  ) => ReturnType<NodeContext['takeRate']>
  readonly values: NodeValues
  /** Told of a fault of the program itself. */
  readonly fault: (error: unknown) => void
  /** Told once how the run has ended. Never told of a run that was given up. */
  readonly ended: (end: RunEnd) => void
}

/** What all runs for one request have used together. */
interface RunBudget extends StepBudget {
  /** Of nodes, repeats included. */
  executions: number
}

export type RunEnd =
  /** Outputs of the response node. */
  | { readonly ok: true; readonly answer: Plain }
  /** The request is forwarded, to another path if one is given, and the answer of the upstream is that of the run. */
  | { readonly ok: true; readonly forward: { readonly path?: unknown } }
  /** @see reason names the node, for the record alone */
  | {
      readonly ok: false
      readonly code: RefusalCode
      readonly reason: string
      /** What the caller is told beyond the code. */
      readonly told?: FailureTold
    }

/** Milliseconds. */
const RUN_MS = 30_000
/** Executions of nodes, repeats included. */
const EXECUTIONS_MAX = 200

export class WorkflowRun {
  readonly #nodes: readonly LinkedNode[]
  readonly #tools: RunTools
  readonly #steps: RunSteps
  /** Outputs by id of the node. Without a prototype: any name may be an id. */
  readonly #values: Plain = Object.create(null) as Plain
  /** Edges to each node that may still lead to it. */
  readonly #open: number[]
  /** Ids of the nodes whose edges have led to it. */
  readonly #arrived: string[][]
  readonly #started: boolean[]
  /** It joins branches, and some have come. */
  readonly #waits: boolean[]
  /** What gives up all that is under way. */
  readonly #underWay = new Set<() => void>()
  /** Nodes that have started, or wait for more branches, and have not ended. */
  #active = 0
  #isOver = false

  constructor({ nodes }: LinkedPlan, tools: RunTools) {
    this.#nodes = nodes
    this.#tools = tools
    this.#steps = new RunSteps(tools.trace, nodes, tools.within)
    this.#open = nodes.map(({ edges }) => edges)
    this.#arrived = nodes.map(() => [])
    this.#started = nodes.map(() => false)
    this.#waits = nodes.map(() => false)
  }

  begin(): void {
    this.#guarded(() => this.#start(0))
    if (this.#isOver || this.#tools.isInner) return
    this.#later(RUN_MS, () => this.#fail('workflow_failed', `the run took more than ${RUN_MS / 1000} s`))
  }

  /** Gives the run up: its caller has left. */
  abort(): void {
    if (!this.#isOver) this.#close()
  }

  #start(place: number): void {
    if (this.#isOver || this.#started[place] === true) return
    this.#started[place] = true
    this.#active++
    this.#attempt(place, 1)
  }

  #attempt(place: number, count: number): void {
    if (++this.#tools.budget.executions > EXECUTIONS_MAX) {
      this.#fail('workflow_failed', `the run executed more than ${EXECUTIONS_MAX} nodes`)
      return
    }
    const { node, execute, inputs, isTail } = this.#nodes[place]!
    this.#steps.started(place, count)
    const context = new RunningNode(this.#tools, node.id, this.#values, this.#arrived[place]!)
    let result: NodeResult | Promise<NodeResult>
    try {
      if (isTail && !this.#tools.isInner) {
        const asked = inputs(this.#values, this.#tools.ambient)
        this.#steps.forwarded(place)
        this.#finish({ ok: true, forward: asked })
        return
      }
      result = execute(inputs(this.#values, this.#tools.ambient), context)
    } catch (error) {
      this.#failed(place, count, error)
      return
    }
    if (!(result instanceof Promise)) {
      this.#judge(place, count, result)
      return
    }
    const settle = (work: () => void): void => {
      if (this.#isOver || !this.#underWay.delete(giveUp)) return
      giveUp()
      this.#guarded(work)
    }
    const giveUp = (): void => {
      clearTimeout(timer)
      context.giveUp()
    }
    const timer =
      node.timeout_ms === undefined
        ? undefined
        : setTimeout(() => {
            settle(() => this.#failed(place, count, new NodeFailure('timeout', 'it took too long')))
          }, timerMs(node.timeout_ms)).unref()
    this.#underWay.add(giveUp)
    result.then(
      (came) => settle(() => this.#judge(place, count, came)),
      (error: unknown) => settle(() => this.#failed(place, count, error)),
    )
  }

  /** An answer that is retried, or that the graph takes for an error, is a failure. */
  #judge(place: number, count: number, result: NodeResult): void {
    const { node } = this.#nodes[place]!
    const complaint = complaintIn(result)
    if (complaint !== null) {
      const { kind, message, isFailure } = complaint
      const isRetried = node.retry !== undefined && count <= node.retry.max && node.retry.on.includes(kind)
      const isError = node.on_error !== undefined && isFailure
      if (isRetried || isError) {
        this.#failed(place, count, new NodeFailure(kind, message), result.outputs)
        return
      }
    }
    this.#ended(place, result)
  }

  #failed(place: number, count: number, error: unknown, outputs: Plain = {}): void {
    const { node, onward } = this.#nodes[place]!
    const failure = failureOf(error)
    if (failure === null) {
      this.#steps.ended(place, '', 'fault')
      this.#tools.fault(error)
      this.#fail('internal_error', `fault in node "${node.id}"`)
      return
    }
    const { retry } = node
    if (retry !== undefined && count <= retry.max && retry.on.includes(failure.kind)) {
      // Twice as long each time
      const delayMs = Math.max(retry.delay_ms * 2 ** (count - 1), failure.told?.retryAfterMs ?? 0)
      if (this.#hasTime(delayMs)) {
        this.#later(delayMs, () => this.#attempt(place, count + 1))
        return
      }
    }
    if (node.on_error === 'fallback') {
      const { fallback } = node
      const given = isPlain(fallback) ? fallback : { value: fallback }
      this.#ended(place, { handle: onward, outputs: given }, failure.kind)
    } else if (node.on_error === 'handle') {
      const shown = { kind: failure.kind, message: failure.message }
      const given = { ...outputs, ...failure.outputs, error: shown }
      this.#ended(place, { handle: 'error', outputs: given }, failure.kind)
    } else {
      this.#steps.ended(place, '', failure.kind)
      this.#fail(failure.code, `node "${node.id}": ${failure.message}`, failure.told)
    }
  }

  /** @param kind of the failure that it had; empty for none */
  #ended(place: number, { handle, outputs }: NodeResult, kind = ''): void {
    const { node, ways } = this.#nodes[place]!
    this.#steps.ended(place, handle, kind)
    if (handle === '') {
      this.#finish({ ok: true, answer: outputs })
      return
    }
    this.#values[node.id] = outputs
    for (const [way, to] of ways)
      for (const next of to)
        if (way === handle) this.#arrive(next, node.id)
        else this.#die(next)
    // Last: nodes that have started at once may have ended already
    if (--this.#active === 0) this.#fail('workflow_failed', 'the run reached no response_node')
  }

  #arrive(place: number, from: string): void {
    if (this.#isOver) return
    this.#open[place]!--
    this.#arrived[place]!.push(from)
    if (this.#nodes[place]!.join === null) this.#start(place)
    else this.#join(place)
  }

  /** An edge to it can be taken no more. */
  #die(place: number): void {
    if (this.#isOver || --this.#open[place]! > 0 || this.#started[place] === true) return
    if (this.#arrived[place]!.length > 0) {
      this.#join(place)
      return
    }
    this.#started[place] = true
    for (const [, to] of this.#nodes[place]!.ways) for (const next of to) this.#die(next)
  }

  /** Runs a node that joins branches, once its rule holds. */
  #join(place: number): void {
    if (this.#started[place] === true) return
    const { wait, timeoutMs } = this.#nodes[place]!.join!
    const arrived = this.#arrived[place]!.length
    const isLast = this.#open[place] === 0
    const isEnough = wait === 'all' ? isLast : arrived >= wait
    const isFirst = this.#waits[place] === false
    if (isFirst) {
      this.#waits[place] = true
      this.#steps.started(place, 1)
      this.#active++
    }
    if (isEnough) {
      this.#started[place] = true
      this.#attempt(place, 1)
    } else if (isLast)
      this.#giveUpJoin(place, new NodeFailure('incomplete', `only ${arrived} branches arrived`))
    else if (isFirst)
      this.#later(timeoutMs, () =>
        this.#giveUpJoin(place, new NodeFailure('timeout', 'the branches took too long')),
      )
  }

  #giveUpJoin(place: number, failure: NodeFailure): void {
    if (this.#started[place] === true) return
    this.#started[place] = true
    this.#failed(place, Number.POSITIVE_INFINITY, failure)
  }

  /** False for a wait that would outlast the run. */
  #hasTime(ms: number): boolean {
    return this.#tools.trace.now() / 1000 + ms < RUN_MS
  }

  #later(ms: number, work: () => void): void {
    const giveUp = (): void => clearTimeout(timer)
    const timer = setTimeout(() => {
      this.#underWay.delete(giveUp)
      if (!this.#isOver) this.#guarded(work)
    }, timerMs(ms)).unref()
    this.#underWay.add(giveUp)
  }

  /** Called from events: a throw there would end the thread. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#tools.fault(error)
      this.#fail('internal_error', 'fault')
    }
  }

  #fail(code: RefusalCode, reason: string, told?: FailureTold): void {
    this.#finish({ ok: false, code, reason, ...(told && { told }) })
  }

  #finish(end: RunEnd): void {
    if (this.#isOver) return
    this.#close()
    this.#tools.ended(end)
  }

  #close(): void {
    this.#isOver = true
    this.#steps.closed()
    for (const giveUp of this.#underWay) giveUp()
    this.#underWay.clear()
  }
}

/** What an answer says of its own failure; null for a good one. @see isFailure so the graph may take it */
function complaintIn({
  handle,
  outputs,
  complaint,
}: NodeResult): { readonly kind: string; readonly message: string; readonly isFailure: boolean } | null {
  if (complaint !== undefined)
    return { kind: complaint, message: 'its response reports a failure', isFailure: true }
  const status = handle === 'success' ? outputs['status'] : undefined
  if (typeof status !== 'number' || status < 400) return null
  return { kind: String(status), message: `it answered ${status}`, isFailure: status >= 500 }
}

/** Null for a fault of the program. */
function failureOf(error: unknown): NodeFailure | null {
  if (error instanceof NodeFailure) return error
  return error instanceof ExpressionFailure ? new NodeFailure('expression', error.message) : null
}
