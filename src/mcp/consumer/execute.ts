import type { GatewayPort, InnerAnswer, InnerCall } from '../../gateway/port.ts'
import { shownHeaders } from '../../gateway/shown-headers.ts'
import { HTTP_METHODS } from '../../model/methods.ts'
import type { CallHandle } from '../../wire/port.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { ToolCall, ToolOutcome } from '../protocol/tool-call.ts'
import { toRecordAgent } from './account.ts'
import type { ConsumerCaller } from './caller.ts'
import type { Catalogue } from './catalogue.ts'
import { fitResult } from './fit-result.ts'
import { callExample } from './inspect.ts'
import { parameterInvalid, refused } from './outcome.ts'
import { resolve } from './resolve.ts'
import { callName, type RunningCalls } from './running.ts'
import { buildTarget } from './target.ts'

/** Bytes of an answer that are kept for selecting and cutting; reading more would hold up the thread. */
const KEEP_BYTES_MAX = 2 * 1024 * 1024
const BYTES_DEFAULT = 64 * 1024

const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)
const NO_PARAMS: Members = Object.freeze({})
const NO_FIELDS: readonly string[] = []

/** Runs `execute_call`: finds the endpoint, builds the call, hands it to the stages, fits the answer into its bounds. */
export function execute(
  gateway: GatewayPort,
  catalogue: Catalogue,
  { caller, requestId, incoming }: ConsumerCaller,
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
      done(toOutcome(answer, wanted, bytesMax, dropped, example))
    } catch (error) {
      fault(error)
      done({ ...refused('internal_error', answer.requestId, {}), accounted: true })
    }
  })
  if (name !== null && !isOver) running.begin(name, own)
}

function toOutcome(
  answer: InnerAnswer,
  wanted: readonly string[],
  bytesMax: number,
  dropped: readonly string[],
  example: () => Members,
): ToolOutcome {
  const headers = shownHeaders(answer.fields)
  const mediaType = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  const { body, bodyBytes, truncated, requestId } = answer
  const failed = answer.code !== null
  const fitted = fitResult(
    { body, bodyBytes, truncated, requestId, mediaType },
    failed ? NO_FIELDS : wanted,
    bytesMax,
  )
  const hints = [
    ...(fitted.hint === null ? [] : [fitted.hint]),
    ...(dropped.length === 0 ? [] : [`Not sent, because the gateway sets them: ${dropped.join(', ')}.`]),
    ...(answer.status === 400 || answer.status === 422
      ? ['inspect_contract shows the parameters and schemas of the endpoint.']
      : []),
  ]
  const problem = failed ? problemIn(body) : null
  const members = {
    ...(problem === null ? {} : { code: answer.code, title: problem['title'], detail: problem['detail'] }),
    ...(problem === null || !ABOUT_ARGUMENTS.has(answer.code ?? '')
      ? {}
      : { errors: errorsIn(problem, answer.code === 'body_invalid'), example: example() }),
    ...retryAfterOf(headers, problem),
    status: answer.status,
    headers,
    request_id: requestId,
    duration_ms: Math.round(answer.durationMs * 1000) / 1000,
    truncated: fitted.truncated,
    total_bytes: bodyBytes,
    hint: hints.length === 0 ? null : hints.join(' '),
  }
  const head = JSON.stringify(members).slice(0, -1)
  const quotedBody = fitted.quoted ?? quotedText(fitted.json)
  return {
    kind: 'result',
    json: `${head},"body":${fitted.json}}`,
    quoted: `${quotedText(head)},\\"body\\":${quotedBody}}`,
    isError: failed || answer.status >= 400,
    blocks: fitted.blocks,
    accounted: true,
  }
}

/** A text as it stands between the quotes of a JSON string. */
function quotedText(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** Refusals of what the caller wrote as `params`. */
const ABOUT_ARGUMENTS: ReadonlySet<string> = new Set(['body_invalid', 'parameter_invalid'])

/** What a contract finds wrong, with pointers into the arguments of `execute_call`. */
function errorsIn({ errors }: Members, isBody: boolean): readonly Members[] {
  const given = Array.isArray(errors) ? errors.filter(isMembers) : []
  return given.map((error) => {
    const pointer = String(error['pointer'])
    const place = isBody ? `/body${pointer}` : pointer.replace(/^\/header\//, '/headers/')
    return { ...error, pointer: `/params${place}` }
  })
}

/** The problem object that the gateway made; empty when it cannot be read. */
function problemIn(body: Uint8Array): Members {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return isMembers(value) ? value : NO_PARAMS
  } catch {
    return NO_PARAMS
  }
}

function retryAfterOf(headers: Members, problem: Members | null): { retry_after_ms?: number } {
  const retryAfterMs = problem?.['retry_after_ms']
  if (typeof retryAfterMs === 'number') return { retry_after_ms: retryAfterMs }
  const seconds = headers['retry-after']
  return typeof seconds === 'string' && /^[0-9]{1,9}$/.test(seconds)
    ? { retry_after_ms: Number(seconds) * 1000 }
    : {}
}
