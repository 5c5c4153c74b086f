/** Postern waits for the end of a task of 2026-07-28, in the place of a client of an earlier era. */
import type { Member } from '../../snapshot/find/virtual-mcps.ts'
import type { CallHandle } from '../../wire/port.ts'
import type { Sender } from '../http/caller.ts'
import { callName } from '../http/running.ts'
import { RPC } from '../protocol/answer.ts'
import type { Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import type { TaskDetail } from '../protocol/tasks.ts'
import type { OriginCallTools } from './origin-call.ts'
import type { OriginLine } from './origin-line.ts'
import { resultFor } from './results.ts'
import { followTask, type TaskEnd } from './task-following.ts'

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
