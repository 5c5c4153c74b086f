/**
 * Asks after a task of 2026-07-28 until it has ended, for a client of an earlier era that waits for its result. Questions of the task
 * are put to the client where it can be asked, each once.
 */
import { timerMs } from '../../base/timer.ts'
import type { OriginReply, RpcError } from '../origin/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedRequest } from '../protocol/relay.ts'
import { readTaskDetail, type TaskDetail } from '../protocol/tasks.ts'
import { inputFault } from './input-requests.ts'
import type { OriginLine } from './origin-line.ts'

/** What became of a task. */
export type TaskEnd =
  | { readonly kind: 'result'; readonly result: Members }
  | { readonly kind: 'error'; readonly error: RpcError }
  | { readonly kind: 'cancelled' }
  /** Its end was not found out: a sentence about the origin ends with the reason. */
  | { readonly kind: 'fault'; readonly reason: string }
  | { readonly kind: 'late' }

export interface Following {
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
export function followTask(
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
      end({ kind: 'fault', reason: 'it says no more of the task that it has begun' })
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
