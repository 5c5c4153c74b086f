/**
 * One call of an endpoint that a virtual MCP offers as a tool, prompt or resource. It runs in process, through the checks, limits and
 * record of any request to the endpoint; the policies of the virtual MCP and of its origin are taken besides.
 */
import { isUtf8 } from 'node:buffer'
import { pointerTo } from '../../base/pointer.ts'
import { type FieldError, PROBLEMS } from '../../base/refusal.ts'
import type { InnerAnswer } from '../../gateway/port.ts'
import type { LocatedEndpoint } from '../../snapshot/find/offered-endpoints.ts'
import type { Member } from '../../snapshot/find/virtual-mcps.ts'
import type { CallHandle } from '../../wire/port.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import { matchPath, toPattern } from '../endpoints/pattern.ts'
import { buildTarget } from '../endpoints/target.ts'
import { messageId, toRecordAgent } from '../http/account.ts'
import type { Sender } from '../http/caller.ts'
import { refused } from '../http/outcome.ts'
import { callName } from '../http/running.ts'
import { RPC } from '../protocol/answer.ts'
import { toolResult } from '../protocol/call-tool.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import { bytesOf, type OriginCallTools, type Target } from './origin-call.ts'
import { resultFor, toolErrorText } from './results.ts'

/** Bytes of a body in the result of a tool; more is cut, as `execute_call` does. */
const RESULT_BYTES_MAX = 64 * 1024
/** Bytes of an answer that are kept for cutting. */
const KEEP_BYTES_MAX = 2 * 1024 * 1024
/** Bytes of a resource or prompt, which are given whole or not at all. */
const WHOLE_BYTES_MAX = 1024 * 1024
/** Code of a resource that is not there, before 2026-07-28. */
const RESOURCE_NOT_FOUND = -32002

const NO_FIELDS: readonly string[] = []
const NO_VALUES: ReadonlyMap<string, string> = new Map()

type Built = ReturnType<typeof buildTarget>

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
      : byArguments(endpoint, target.params['arguments'])
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
      agent: toRecordAgent({ ...received, id }, method, target.name, ''),
      keepBytesMax: KEEP_BYTES_MAX,
      until: received.hangUpCancels ? incoming : null,
      through: {
        of: through,
        proxy: endpoint.proxy,
        argumentBytes: bytesOf(target.params['arguments']),
      },
    },
    (answer) => {
      isOver = true
      if (name !== null) running.end(name, own)
      // Called from events of sockets: a throw there would end the thread
      try {
        done(toAnswer(answer, endpoint, request, target.name, dropped))
      } catch (error) {
        fault(error, requestId)
        done({ kind: 'error', code: RPC.internalError, message: 'Internal error' })
      }
    },
  )
  if (name !== null && !isOver) running.begin(name, own)
}

/** The request that arguments make. Pointers of errors are into the arguments. */
function byArguments(endpoint: LocatedEndpoint, given: unknown): Built {
  const { places, hasBody, bodyType, route } = endpoint
  const errors: FieldError[] = []
  const groups = {
    path: new Map<string, unknown>(),
    query: new Map<string, unknown>(),
    headers: new Map<string, unknown>(),
  }
  if (bodyType !== undefined) groups.headers.set('content-type', bodyType)
  let body: Members = {}
  for (const [key, value] of Object.entries(isMembers(given) ? given : {})) {
    if (key === 'body' && hasBody) body = { body: value }
    else if (!Object.hasOwn(places, key)) {
      const names = [...Object.keys(places), ...(hasBody ? ['body'] : [])].join(', ')
      errors.push({
        pointer: pointerTo('', key.slice(0, 128)),
        reason: `no such argument; there are: ${names || 'none'}`,
      })
      // Models send null for what they leave out
    } else if (value !== null) groups[places[key]![0]].set(places[key]![1], value)
  }
  if (errors.length > 0) return { ok: false, errors }
  const { path, query, headers } = groups
  const params = {
    path: Object.fromEntries(path),
    query: Object.fromEntries(query),
    headers: Object.fromEntries(headers),
    ...body,
  }
  const built = buildTarget(toPattern(route.route), NO_VALUES, '', params, () => null, undefined)
  if (built.ok) return built
  const toArgument = argumentPointer(endpoint)
  return {
    ok: false,
    errors: built.errors.map(({ pointer, reason }) => ({
      pointer: toArgument(pointer.replace(/^\/params/, '')),
      reason,
    })),
  }
}

/** The request that a URI of a resource makes, such as `postern://orders/v1/orders/7?fields=id`. */
function byUri({ collection, route }: LocatedEndpoint, uri: string): Built {
  const [path = '', query = ''] = uri.slice(`postern://${collection.fragment.slug}`.length).split(/\?(.*)/s)
  const values = matchPath(toPattern(route.fragment.path), path)
  if (values === null)
    return { ok: false, errors: [{ pointer: '/uri', reason: 'is not a URI of the template' }] }
  return buildTarget(toPattern(route.route), values, query, {}, () => null, undefined)
}

/** From a pointer into the request, such as `/query/limit/0`, to one into the arguments. */
function argumentPointer({ places }: LocatedEndpoint): (pointer: string) => string {
  const names = new Map(
    Object.entries(places).map(([name, [place, own]]) => [pointerTo(`/${place}`, own).toLowerCase(), name]),
  )
  return (pointer) => {
    const [, place = '', token = '', ...rest] = pointer.split('/')
    const name = names.get(`/${place}/${token}`.toLowerCase())
    return name === undefined ? pointer : [pointerTo('', name), ...rest].join('/')
  }
}

function toAnswer(
  answer: InnerAnswer,
  endpoint: LocatedEndpoint,
  { method, isModern }: RelayedRequest,
  name: string,
  dropped: readonly string[],
): RelayedAnswer {
  const outcome = answerOutcome(answer, NO_FIELDS, RESULT_BYTES_MAX, dropped, {
    pointer: argumentPointer(endpoint),
    example: () => null,
    adviceOnWrong: null,
  })
  if (outcome.kind !== 'result') throw new Error('the answer to a call is a result')
  if (method === 'tools/call') {
    const members = toolResult(outcome)
    return { kind: 'result', text: isModern ? `{"resultType":"complete",${members}}` : `{${members}}` }
  }
  const { status, code, body, truncated } = answer
  const isTooLarge = truncated || body.length > WHOLE_BYTES_MAX
  if (code !== null || status >= 400 || isTooLarge) {
    const data: unknown = JSON.parse(outcome.json)
    const detail = isMembers(data) && typeof data['detail'] === 'string' ? data['detail'] : null
    const message =
      detail ??
      (status >= 400
        ? `The endpoint answered with status ${status}.`
        : `The answer has more than ${WHOLE_BYTES_MAX} bytes.`)
    const isAbsent = code === null && status === 404 && method === 'resources/read'
    const own = code === null ? RPC.internalError : PROBLEMS[code].status
    const absent = isModern ? RPC.invalidParams : RESOURCE_NOT_FOUND
    return { kind: 'error', code: isAbsent ? absent : own, message, data }
  }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const result =
    method === 'resources/read'
      ? { contents: [{ uri: name, ...typeOf(outcome.json), ...contentOf(bytes) }] }
      : { messages: [{ role: 'user', content: { type: 'text', text: bytes.toString('utf8') } }] }
  return { kind: 'result', text: resultFor(method, result, false, isModern) }
}

function contentOf(bytes: Buffer): Members {
  return isUtf8(bytes) ? { text: bytes.toString('utf8') } : { blob: bytes.toString('base64') }
}

/** The media type of the answer; none where it has none. */
function typeOf(json: string): Members {
  const { headers } = JSON.parse(json) as { readonly headers: Readonly<Record<string, string>> }
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim()
  return type === '' ? {} : { mimeType: type }
}
