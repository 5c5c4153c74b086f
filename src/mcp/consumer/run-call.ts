import type { Endpoint, GatewayPort, InnerAnswer } from '../../gateway/port.ts'
import type { CallHandle } from '../../wire/port.ts'
import type { Target } from '../endpoints/target.ts'
import type { Sender } from '../http/message.ts'
import { toRecordAgent } from '../http/message.ts'
import { callName, type RunningCalls } from '../http/running.ts'
import type { RelayedRequest } from '../protocol/relay-port.ts'

/** Bytes of an answer that are kept for selecting and cutting; reading more would hold up the thread. */
const KEEP_BYTES_MAX = 2 * 1024 * 1024

export interface CallTools {
  readonly gateway: GatewayPort
  readonly running: RunningCalls
  readonly fault: (error: unknown, requestId: string) => void
}

/** A call of an endpoint as the arguments have made it. */
interface MadeCall extends Omit<Target, 'dropped'> {
  readonly endpoint: Endpoint
  readonly method: string
  /** What the record names as the tool. */
  readonly name: string
  /** What the agent gave as its reason. */
  readonly reason: string
}

/**
 * Runs a call through the stages. `done` gets null for a call that was given up. An error that it throws is a fault, and `failed` is called.
 */
export function runCall(
  { gateway, running, fault }: CallTools,
  { caller, requestId, incoming }: Sender,
  { received, id, method: mcpMethod }: RelayedRequest,
  { endpoint, method, name, reason, target, fields, ownFields, body }: MadeCall,
  done: (answer: InnerAnswer | null) => void,
  failed: () => void,
): void {
  gateway.message(incoming, null)
  received.isAccounted = true
  const { sessionId, trace, hangUpCancels } = received
  const callId = sessionId === '' ? null : callName(sessionId, id)
  let isOver = false
  const own: CallHandle = {
    abort() {
      handle.abort()
      done(null)
    },
  }
  const handle = gateway.call(
    {
      caller,
      requestId,
      method,
      host: endpoint.collection.hosts[0] ?? '',
      target,
      fields,
      ownFields,
      body,
      traceParent: trace.parent,
      traceState: trace.state,
      agent: toRecordAgent(received, mcpMethod, name, reason),
      keepBytesMax: KEEP_BYTES_MAX,
      until: hangUpCancels ? incoming : null,
    },
    (answer) => {
      isOver = true
      if (callId !== null) running.end(callId, own)
      // Called from an event of the upstream's socket: a throw here would end the thread.
      try {
        done(answer)
      } catch (error) {
        fault(error, requestId)
        failed()
      }
    },
  )
  if (callId !== null && !isOver) running.begin(callId, own)
}
