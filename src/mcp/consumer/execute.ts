import type { GatewayPort, InnerCall } from '../../gateway/port.ts'
import { HTTP_METHODS } from '../../model/methods.ts'
import type { CallHandle } from '../../wire/port.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import { buildTarget } from '../endpoints/target.ts'
import { toRecordAgent } from '../http/account.ts'
import type { Sender } from '../http/caller.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import { callName, type RunningCalls } from '../http/running.ts'
import type { Members } from '../protocol/message.ts'
import type { ToolCall, ToolOutcome } from '../protocol/tool-call.ts'
import type { Catalogue } from './catalogue.ts'
import { callExample } from './inspect.ts'
import { resolve } from './resolve.ts'

/** Bytes of an answer that are kept for selecting and cutting; reading more would hold up the thread. */
const KEEP_BYTES_MAX = 2 * 1024 * 1024
const BYTES_DEFAULT = 64 * 1024

const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)
const NO_PARAMS: Members = Object.freeze({})
const NO_FIELDS: readonly string[] = []

const ARGUMENTS = {
  pointer: (place: string) => `/params${place}`,
  adviceOnWrong: 'inspect_contract shows the parameters and schemas of the endpoint.',
}

/** Runs `execute_call`: finds the endpoint, builds the call, hands it to the stages, fits the answer into its bounds. */
export function execute(
  gateway: GatewayPort,
  catalogue: Catalogue,
  { caller, requestId, incoming }: Sender,
  values: ReadonlyMap<string, unknown>,
  toolCall: ToolCall,
  running: RunningCalls,
  fault: (error: unknown) => void,
  done: (outcome: ToolOutcome) => void,
): void {
  // The kinds were checked by the rules of the tool.
  const named = values.get('method') as string | undefined
  const resolved = resolve(catalogue, values.get('endpoint') as string, named, requestId)
  if (!resolved.ok) {
    done(resolved.outcome)
    return
  }
  const { endpoint, method } = resolved
  const example = (): Members => callExample(gateway, catalogue, endpoint, method)
  if (method === null || !METHODS.has(method)) {
    const reason = `must be one of ${endpoint.methods.join(', ')}`
    done(parameterInvalid(requestId, [{ pointer: '/method', reason }], example()))
    return
  }
  const built = buildTarget(
    catalogue.patternOf(endpoint),
    resolved.values,
    resolved.query,
    (values.get('params') as Members | undefined) ?? NO_PARAMS,
    () => gateway.contract(endpoint, method)?.contract ?? null,
    values.get('idempotency_key') as string | undefined,
  )
  if (!built.ok) {
    done(parameterInvalid(requestId, built.errors, example()))
    return
  }
  const { target, fields, ownFields, body, dropped } = built.built
  const bytesMax = (values.get('max_bytes') as number | undefined) ?? BYTES_DEFAULT
  const wanted = (values.get('fields') as string[] | undefined) ?? NO_FIELDS
  const reason = (values.get('reason') as string | undefined) ?? ''
  const agent = toRecordAgent(toolCall, 'tools/call', toolCall.name, reason)
  const host = endpoint.collection.hosts[0] ?? ''
  const keepBytesMax = KEEP_BYTES_MAX
  gateway.message(incoming, null)
  const until = toolCall.hangUpCancels ? incoming : null
  const { parent: traceParent, state: traceState } = toolCall.trace
  const call: InnerCall = {
    caller,
    requestId,
    method,
    host,
    target,
    fields,
    ownFields,
    body,
    traceParent,
    traceState,
    agent,
    keepBytesMax,
    until,
  }
  const name = toolCall.sessionId === '' ? null : callName(toolCall.sessionId, toolCall.id)
  let isOver = false
  const own: CallHandle = {
    abort() {
      handle.abort()
      done({ kind: 'cancelled' })
    },
  }
  const handle = gateway.call(call, (answer) => {
    isOver = true
    if (name !== null) running.end(name, own)
    // Called from an event of the upstream's socket: a throw here would end the thread.
    try {
      done(answerOutcome(answer, wanted, bytesMax, dropped, { ...ARGUMENTS, example }))
    } catch (error) {
      fault(error)
      done({ ...refused('internal_error', answer.requestId, {}), accounted: true })
    }
  })
  if (name !== null && !isOver) running.begin(name, own)
}
