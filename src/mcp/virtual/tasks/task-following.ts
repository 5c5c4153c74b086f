/**
 * Polls a task of 2026-07-28 until it ends, for a client of an earlier era that waits for its result. Questions of the task
 * are put to the client if it can be asked, each once.
 */
import { timerMs } from '../../../base/clock.ts'
import type { Member } from '../../../snapshot/find/virtual-mcps.ts'
import type { CallHandle } from '../../../wire/port.ts'
import { callName, type Sender } from '../../http/message.ts'
import type { OriginReply, RpcError } from '../../origin/answer.ts'
import { RPC } from '../../protocol/answer.ts'
import { isMembers, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { readTaskDetail, type TaskDetail } from '../../protocol/tasks.ts'
import type { OriginCallTools } from '../call/origin-call.ts'
import type { OriginLine } from '../call/origin-line.ts'
import { resultFor } from '../call/results.ts'
import { inputFault } from '../input/input-requests.ts'

/** What became of a task. */
type TaskEnd =
  | { readonly kind: 'result'; readonly result: Members }
  | { readonly kind: 'error'; readonly error: RpcError }
  | { readonly kind: 'cancelled' }
  /** Its end was not found out: a sentence about the origin ends with the reason. */
  | { readonly kind: 'fault'; readonly reason: string }
  | { readonly kind: 'late' }

interface Following {
  /** No more is asked. Nothing is told any more. */
  stop(): void
}

/** Between two questions, milliseconds. */
const POLL_MS = { least: 100, usual: 1000, most: 30_000 }
/** Questions in a row that may stay without an answer. */
const FAILURES_MAX = 3
/** What one task may ask the client. */
const REQUESTS_MAX = 64

/**
 * @param first what the origin has said of the task
 * @param request of the client: whom questions go to, and what it can
 * @param mark adds to what the client is asked that it belongs to the task
 * @param done is called once, unless it was stopped
 */
function followTask(
  line: OriginLine,
  first: TaskDetail,
  { ask, clientCapabilities }: Pick<RelayedRequest, 'ask' | 'clientCapabilities'>,
  mark: (params: Members) => Members,
  totalMs: number,
  done: (end: TaskEnd) => void,
): Following {
  const { id: taskId } = first
  const asked = new Set<string>()
  let failures = 0
  let isOver = false
  let next: NodeJS.Timeout | undefined
  const late = setTimeout(() => end({ kind: 'late' }), timerMs(totalMs)).unref()

  function stop(): void {
    isOver = true
    clearTimeout(next)
    clearTimeout(late)
  }

  function end(how: TaskEnd): void {
    if (isOver) return
    stop()
    done(how)
  }

  function take(task: TaskDetail): void {
    const { state, detail } = task
    const how = endOf(task)
    if (how !== null) {
      end(how)
      return
    }
    // Read with the task
    if (state.status === 'input_required' && !put(detail['inputRequests'] as Members)) return
    const { least, usual, most } = POLL_MS
    const waitMs = Math.min(most, Math.max(least, state.pollIntervalMs ?? usual))
    next = setTimeout(() => void inquire(), waitMs).unref()
  }

  /** False where the client cannot be asked, which ends the following. */
  function put(requests: Members): boolean {
    if (ask === null || asked.size >= REQUESTS_MAX) {
      end({ kind: 'fault', reason: 'it asks the client for more than the client can give' })
      return false
    }
    const reason = inputFault(requests, clientCapabilities)
    if (reason !== null) {
      end({ kind: 'fault', reason })
      return false
    }
    for (const [key, request] of Object.entries(requests)) {
      if (asked.has(key) || !isMembers(request)) continue
      asked.add(key)
      const { method, params } = request
      ask(String(method), mark(isMembers(params) ? params : {}), (answer) => {
        // A task goes on where its question was not answered, as its origin decides
        const given = answer ?? (method === 'elicitation/create' ? { action: 'cancel' } : null)
        if (given !== null && !isOver)
          void line.inquire('tasks/update', { taskId, inputResponses: { [key]: given } }, clientCapabilities)
      })
    }
    return true
  }

  async function inquire(): Promise<void> {
    const reply = await line.inquire('tasks/get', { taskId }, clientCapabilities)
    if (isOver) return
    const task = taskIn(reply, taskId)
    if (task !== null) {
      failures = 0
      take(task)
    } else if (reply.kind === 'error' || ++failures >= FAILURES_MAX)
      end({ kind: 'fault', reason: 'it no longer reports the state of the task that it has started' })
    else next = setTimeout(() => void inquire(), POLL_MS.usual).unref()
  }

  take(first)
  return { stop }
}

/** Null for a task that goes on. */
function endOf({ state: { status }, detail }: TaskDetail): TaskEnd | null {
  switch (status) {
    case 'completed':
      // Read with the task, as the error below
      return { kind: 'result', result: detail['result'] as Members }
    case 'failed':
      return { kind: 'error', error: detail['error'] as RpcError }
    case 'cancelled':
      return { kind: 'cancelled' }
    default:
      return null
  }
}

/** The task that a reply to `tasks/get` tells of; null for anything else. */
export function taskIn(reply: OriginReply, taskId: string): TaskDetail | null {
  const task = reply.kind === 'result' ? readTaskDetail(reply.result) : null
  return task?.id === taskId ? task : null
}

// Postern waits for the end of a task of 2026-07-28, in the place of a client of an earlier era.

/** The task, and who waits for it. */
export interface WaitedTask {
  readonly member: Member
  readonly sender: Sender
  readonly request: RelayedRequest
  readonly line: OriginLine
  /** What is known of it. */
  readonly first: TaskDetail
  /** Adds to what the client gets that it belongs to a task, where the client knows of one. */
  readonly mark: (content: Members) => Members
  /** The result as callers see it. */
  readonly shown: (result: Members) => Members
  /** Ends the task itself, once nobody waits for it. */
  readonly drop: () => void
}

/** Waits for as long as a call of the origin may take. The client may cancel its request meanwhile. */
export function waitForTask(
  { running, fault }: Pick<OriginCallTools, 'running' | 'fault'>,
  { member, sender, request, line, first, mark, shown, drop }: WaitedTask,
  done: (answer: RelayedAnswer) => void,
): void {
  const { received, id } = request
  const { slug, total_ms } = member.origin.fragment
  const name = received.sessionId === '' ? null : callName(received.sessionId, id)
  let isEnded = false
  const own: CallHandle = {
    abort() {
      following.stop()
      drop()
      done({ kind: 'none' })
    },
  }
  const following = followTask(line, first, request, mark, total_ms, (end) => {
    isEnded = true
    if (name !== null) running.end(name, own)
    if (end.kind === 'late' || end.kind === 'fault') drop()
    try {
      done(answerOf(end, slug, (result) => mark(shown(result))))
    } catch (error) {
      // Called from a timer: a throw there would end the thread
      fault(error, sender.requestId)
      done({ kind: 'error', code: RPC.internalError, message: 'Internal error' })
    }
  })
  if (name !== null && !isEnded) running.begin(name, own)
}

function answerOf(end: TaskEnd, slug: string, shown: (result: Members) => Members): RelayedAnswer {
  switch (end.kind) {
    case 'result':
      return { kind: 'result', text: resultFor('tools/call', shown(end.result), true, false) }
    case 'error': {
      const { code, message, data } = end.error
      return { kind: 'error', code, message, ...(data === undefined ? {} : { data }) }
    }
    case 'cancelled':
      return { kind: 'error', code: RPC.internalError, message: 'The task was cancelled' }
    case 'late':
      return noEnd(slug, 'its task has not ended in time')
    case 'fault':
      return noEnd(slug, end.reason)
  }
}

function noEnd(slug: string, reason: string): RelayedAnswer {
  const message = `The origin "${slug}" did not answer the call: ${reason}.`
  return { kind: 'error', code: RPC.internalError, message }
}
