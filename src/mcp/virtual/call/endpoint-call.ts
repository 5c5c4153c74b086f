/**
 * One call of an endpoint that a virtual MCP offers as a tool, prompt or resource. It runs in process, through the checks, limits and
 * record of any request to the endpoint; the policies of the virtual MCP and of its origin are taken besides.
 */
import { withDigits } from '../../../base/json/exact.ts'
import type { LocatedEndpoint } from '../../../snapshot/find/offered-endpoints.ts'
import type { Member } from '../../../snapshot/find/virtual-mcps.ts'
import type { CallHandle } from '../../../wire/port.ts'
import { offeredAnswer } from '../../endpoints/offered-answer.ts'
import { byArguments, byUri } from '../../endpoints/offered-request.ts'
import type { Sender } from '../../http/message.ts'
import { messageId, toRecordAgent } from '../../http/message.ts'
import { refused } from '../../http/outcome.ts'
import { callName } from '../../http/running.ts'
import { RPC } from '../../protocol/answer.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import type { OriginCallTools, Target } from './origin-call.ts'
import { bytesOf } from './origin-line.ts'
import { toolErrorText } from './results.ts'

/** Bytes of an answer that are kept for cutting. */
const KEEP_BYTES_MAX = 2 * 1024 * 1024

/** Calls the endpoint; `done` gets the answer once, now or later. */
export function callEndpoint(
  { through }: Member,
  endpoint: LocatedEndpoint,
  { gateway, running, fault }: OriginCallTools,
  { caller, requestId: messageOf, incoming }: Sender,
  request: RelayedRequest,
  target: Target,
  done: (answer: RelayedAnswer) => void,
): void {
  const { method, received, id, isModern } = request
  const requestId = messageId(messageOf, received.place)
  const built =
    method === 'resources/read'
      ? byUri(endpoint, String(target.params['uri']))
      : byArguments(endpoint, withDigits(target.params['arguments']))
  if (!built.ok) {
    const [first] = built.errors
    const detail = `${first!.pointer}: ${first!.reason}`
    const outcome = refused('parameter_invalid', requestId, { detail, errors: built.errors })
    received.outcome = outcome
    if (method === 'tools/call') done({ kind: 'result', text: toolErrorText(outcome.json, isModern) })
    else done({ kind: 'error', code: RPC.invalidParams, message: detail, data: JSON.parse(outcome.json) })
    return
  }
  const { dropped, ...sent } = built.built
  gateway.message(incoming, null)
  received.isAccounted = true
  const name = received.sessionId === '' ? null : callName(received.sessionId, id)
  let isOver = false
  const own: CallHandle = {
    abort() {
      handle.abort()
      done({ kind: 'none' })
    },
  }
  const handle = gateway.call(
    {
      ...sent,
      caller,
      requestId,
      method: endpoint.method,
      host: endpoint.collection.fragment.hosts[0] ?? '',
      traceParent: received.trace.parent,
      traceState: received.trace.state,
      agent: toRecordAgent(received, method, target.name, ''),
      keepBytesMax: KEEP_BYTES_MAX,
      until: received.hangUpCancels ? incoming : null,
      through: {
        of: through,
        proxy: endpoint.proxy,
        argumentBytes: bytesOf(target.params['arguments']),
        guard: target.guard ?? null,
      },
    },
    (answer) => {
      isOver = true
      if (name !== null) running.end(name, own)
      // Called from events of sockets: a throw there would end the thread
      try {
        done(offeredAnswer(answer, endpoint, request, target.name, dropped))
      } catch (error) {
        fault(error, requestId)
        done({ kind: 'error', code: RPC.internalError, message: 'Internal error' })
      }
    },
  )
  if (name !== null && !isOver) running.begin(name, own)
}
