/**
 * Calls endpoints for MCP: the endpoint that arguments name, or the one for which a tool, prompt or resource stands. A call
 * runs in process, with the checks, limits and record of any request to the endpoint.
 */
import type { Clock } from '../../base/clock.ts'
import { withDigits } from '../../base/json/exact.ts'
import type { CalledThroughVirtualMcp, GatewayPort, InnerAnswer } from '../../gateway/port.ts'
import type { CallHandle } from '../../wire/port.ts'
import { callName, type RunningCalls, type Sender, toRecordAgent } from '../http/message.ts'
import { type Done, INTERNAL, parameterInvalid, toolAnswer } from '../http/relay.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { offeredAnswer } from './answer-outcome.ts'
import { byArguments, byUri, type CalledOffer } from './offered-request.ts'
import type { Target } from './target.ts'

/** Bytes of an answer that are kept for selecting and cutting; reading more would hold up the thread. */
const KEEP_BYTES_MAX = 2 * 1024 * 1024

export interface CallTools {
  readonly gateway: GatewayPort
  readonly running: RunningCalls
  readonly progress: Progress
  readonly fault: (error: unknown, requestId: string) => void
  /** Members that each result of 2026-07-28 has, see `resultOf`. */
  readonly meta?: string
}

/** A call of an endpoint as the arguments have made it. */
interface MadeCall extends Omit<Target, 'dropped'> {
  readonly method: string
  readonly collection: { readonly hosts: readonly string[] }
  /** What the record names as the tool, prompt or resource. */
  readonly name: string
  /** What the agent gave as its reason. */
  readonly reason: string
  /** Of a virtual MCP alone. */
  readonly through: CalledThroughVirtualMcp | undefined
}

/**
 * Runs a call through the stages. `done` gets null for a call that was given up. An error that it throws is a fault, and `failed` is called.
 */
export function callEndpoint(
  { gateway, running, progress, fault }: CallTools,
  { caller, requestId, incoming }: Sender,
  request: RelayedRequest,
  { collection, method, name, reason, through, target, fields, ownFields, body }: MadeCall,
  done: (answer: InnerAnswer | null) => void,
  failed: () => void,
): void {
  const { received, id, method: mcpMethod } = request
  gateway.message(incoming, null)
  received.isAccounted = true
  const stop = progress.begin(request)
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
      host: collection.hosts[0] ?? '',
      target,
      through,
      fields,
      ownFields,
      body,
      traceParent: trace.parent,
      traceState: trace.state,
      agent: toRecordAgent(received, mcpMethod, name, reason),
      keepBytesMax: KEEP_BYTES_MAX,
      until: hangUpCancels ? incoming : null,
      gaveUp: stop,
    },
    (answer) => {
      isOver = true
      stop()
      if (callId !== null) running.end(callId, own)
      // Called from an event of the upstream's socket: a throw here would end the thread
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

/**
 * Calls the endpoint that a tool, prompt or resource stands for, which the caller knows by `name`.
 * @param params of the message, with what the endpoint gets
 */
export function callOffer(
  tools: CallTools,
  sender: Sender,
  request: RelayedRequest,
  offer: CalledOffer,
  name: string,
  params: Members,
  through: CalledThroughVirtualMcp | undefined,
  done: Done,
): void {
  const { meta } = tools
  const built =
    request.method === 'resources/read'
      ? byUri(offer, String(params['uri']))
      : byArguments(offer, withDigits(params['arguments']))
  if (!built.ok) {
    done(argumentsRefused(sender, request, built.errors, meta))
    return
  }
  const { dropped, ...made } = built.built
  const { method, collection } = offer
  callEndpoint(
    tools,
    sender,
    request,
    { ...made, method, collection: collection.fragment, name, reason: '', through },
    (answer) =>
      done(answer === null ? { kind: 'none' } : offeredAnswer(answer, offer, request, name, dropped, meta)),
    () => done(INTERNAL),
  )
}

/** The answer to arguments that make no request. @param errors at least one, with pointers into the arguments */
export function argumentsRefused(
  { requestId }: Sender,
  request: RelayedRequest,
  errors: Parameters<typeof parameterInvalid>[1],
  meta?: string,
): RelayedAnswer {
  const outcome = parameterInvalid(requestId, errors, null)
  if (request.method === 'tools/call') return toolAnswer(request, outcome, meta)
  request.received.outcome = outcome
  const { pointer, reason } = errors[0]!
  const data: unknown = JSON.parse(outcome.json)
  return { kind: 'error', code: RPC.invalidParams, message: `${pointer}: ${reason}`, data }
}

/** Before the first sign, milliseconds: most calls have ended by then, and are one JSON object. */
export const FIRST_MS = 3000
/** Between two signs, milliseconds. */
export const EVERY_MS = 5000
/** Between two looks at the calls, milliseconds. */
export const TICK_MS = 500
const TOKEN_CHARS_MAX = 256

interface Waiting {
  readonly token: RpcId
  readonly begunAt: number
  readonly notify: (text: string) => void
  nextMs: number
}

/**
 * Progress notifications for long calls. The first notification turns the response into a stream, if the client accepts streams. A call that
 * ends earlier costs one entry in a set.
 */
export interface Progress {
  /** Tells the client of a call how long it lasts, where the client asks for that, until the function that it gives is called. */
  begin(request: Pick<RelayedRequest, 'params' | 'notify'>): () => void
}

const NOTHING = (): void => {}

/** No calls yet. */
export function createProgress(clock: Clock): Progress {
  const waiting = new Set<Waiting>()
  let timer: NodeJS.Timeout | undefined

  function tick(): void {
    const now = clock.monotonic()
    for (const call of waiting) {
      const elapsedMs = now - call.begunAt
      if (elapsedMs < call.nextMs) continue
      call.nextMs = elapsedMs + EVERY_MS
      const progress = Math.round(elapsedMs) / 1000
      const message = `Waiting for the upstream for ${Math.round(progress)} s`
      const params = { progressToken: call.token, progress, message }
      call.notify(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params }))
    }
  }

  return {
    begin({ params, notify }) {
      const token = tokenOf(params['_meta'])
      if (token === null) return NOTHING
      const call = { token, begunAt: clock.monotonic(), notify, nextMs: FIRST_MS }
      waiting.add(call)
      timer ??= setInterval(tick, TICK_MS).unref()
      return () => {
        waiting.delete(call)
        if (waiting.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
  }
}

/** A string or an integer (2026-07-28, basic/utilities/progress). */
function tokenOf(meta: unknown): RpcId | null {
  const token = isMembers(meta) ? meta['progressToken'] : undefined
  if (typeof token === 'string') return token.length <= TOKEN_CHARS_MAX ? token : null
  return Number.isSafeInteger(token) ? (token as number) : null
}
