/**
 * Calls that can be cancelled. The message that cancels a call may arrive at another thread; that thread publishes the
 * cancellation.
 */
import type { Events } from '../../shared-state/ports/events.ts'
import type { CallHandle } from '../../wire/port.ts'
import type { RpcId } from '../protocol/message.ts'

/** Names a call among those of all sessions: an id counts within its session alone, and 1 is not "1". */
export function callName(sessionId: string, id: RpcId): string {
  return `${sessionId} ${typeof id} ${id}`
}

/** The calls of sessions that one thread has under way. A message that gives one up may come to another thread. */
export interface RunningCalls {
  begin(name: string, handle: CallHandle): void
  end(name: string, handle: CallHandle): void
  /** Gives up the call of that name, wherever it runs; nothing happens when there is none. */
  cancel(name: string): void
}

/** No calls yet. @param events carries cancellations to the other threads, and those of others here. */
export function createRunningCalls(events: Events): RunningCalls {
  const handles = new Map<string, CallHandle>()

  /** False when no call of that name runs here. */
  function cancelHere(name: string): boolean {
    const handle = handles.get(name)
    handles.delete(name)
    handle?.abort()
    return handle !== undefined
  }

  events.subscribe('call_cancelled', cancelHere)

  return {
    begin: (name, handle) => void handles.set(name, handle),
    end(name, handle) {
      if (handles.get(name) === handle) handles.delete(name)
    },
    cancel(name) {
      if (!cancelHere(name)) events.publish({ topic: 'call_cancelled', text: name })
    },
  }
}
