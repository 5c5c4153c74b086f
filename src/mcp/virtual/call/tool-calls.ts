/**
 * Calls of tools by nodes of workflows, without a client of a virtual MCP. The origin is called as through a virtual MCP. If
 * the origin asks its client for input, the call is refused, because no client can answer.
 */
import { parseWithLongTexts } from '../../../base/json/exact.ts'
import { isPlain } from '../../../base/json/storable.ts'
import { PROBLEMS, type RefusalCode } from '../../../base/refusal.ts'
import type { CallTool, ToolAnswer, ToolCall } from '../../../gateway/workflow/tool-port.ts'
import { joinedAlone } from '../../../snapshot/find/lone-origin.ts'
import type { Incoming } from '../../../wire/port.ts'
import { isMembers, type Members, MODERN_VERSIONS } from '../../protocol/message.ts'
import type { ReceivedMessage } from '../../protocol/received-message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { type GuardRefusal, MessageGuard } from './message-guard.ts'
import { OriginCall, type OriginCallTools } from './origin-call.ts'
import { MISSING_CAPABILITY } from './origin-error.ts'

const METHOD = 'tools/call'
const NOTHING: Members = Object.freeze({})
const NO_AGENT = { name: '', version: '' }
/** Characters of an error of the origin that a failure shows. */
const ERROR_CHARS_MAX = 300
const CANNOT_ASK = 'asks its client for input, and a workflow has no client that could answer'

type ToolCallTools = Omit<OriginCallTools, 'gateway' | 'running' | 'parking'>

/** Calls of one gateway thread. */
export function createToolCalls(tools: ToolCallTools): CallTool {
  let count = 0
  // The run cancels its calls itself, and a workflow cannot send its caller to a page
  const own = { running: { begin() {}, end() {}, cancel() {} }, parking: { connectFirst: () => null } }
  return (call, done) => {
    const { origin, name, gateway, caller, requestId } = call
    // The request may call several tools in one session of the origin
    const sender = { caller, requestId: `${requestId}.tool-${++count}`, incoming: NO_REQUEST }
    const target = {
      member: origin.id,
      name,
      params: { name, arguments: call.arguments },
      schema: call.schema,
      endpoint: null,
    }
    const guard =
      call.guardrails === null
        ? null
        : new MessageGuard(call.guardrails, null, gateway.askWebhook(caller), call.tally)
    let isGivenUp = false
    let run: OriginCall | null = null
    const give = (answer: RelayedAnswer | null, code?: RefusalCode): void => {
      const told =
        answer === null ? blockedBy(guard!.refusal!) : toToolAnswer(origin.fragment.slug, answer, code)
      if (told !== null) done(told)
    }
    const begin = (params: Members | null): void => {
      if (isGivenUp) return
      if (params === null) {
        done(blockedBy(guard!.refusal!))
        return
      }
      run = new OriginCall(
        joinedAlone(origin),
        { ...tools, ...own, gateway },
        sender,
        requestFor(call, params),
        { ...target, params },
        (given, code) => {
          const answer = guard === null || code !== undefined ? given : guard.answer(given)
          if (answer instanceof Promise)
            void answer.then((one) => {
              if (!isGivenUp) give(one, code)
            })
          else give(answer, code)
        },
      )
      run.begin()
    }
    const params = guard === null ? target.params : guard.request(target.params)
    // An end in the same moment would come before the node has what gives it up
    if (params instanceof Promise) void params.then(begin)
    else queueMicrotask(() => begin(params))
    return {
      abort() {
        isGivenUp = true
        run?.abort()
      },
    }
  }
}

/** The gateway of a step asks nothing of the request that a message came with. */
const NO_REQUEST = Object.freeze({}) as Incoming

function requestFor({ traceParent, traceState }: ToolCall, params: Members): RelayedRequest {
  const received: ReceivedMessage = {
    method: METHOD,
    tool: '',
    id: undefined,
    place: 0,
    conversationId: '',
    trace: { parent: traceParent || undefined, state: traceState || undefined },
    agent: NO_AGENT,
    sessionId: '',
    hangUpCancels: false,
    status: 0,
    error: null,
    refusal: null,
    reason: '',
    outcome: null,
    guardrailHits: '',
    isAccounted: false,
  }
  return {
    id: 0,
    method: METHOD,
    params,
    version: MODERN_VERSIONS[0],
    isModern: true,
    received,
    clientCapabilities: NOTHING,
    logLevel: null,
    mirrored: null,
    readsStreams: false,
    notify() {},
    onLeft() {},
    ask: null,
  }
}

/** Null for a call that was given up. @param origin slug @param code set for a refusal */
function toToolAnswer(
  origin: string,
  answer: RelayedAnswer,
  code: RefusalCode | undefined,
): ToolAnswer | null {
  if (answer.kind === 'none') return null
  if (answer.kind === 'error') {
    const { message } = answer
    if (answer.code === MISSING_CAPABILITY)
      return unusable(`the tool of the origin "${origin}" ${CANNOT_ASK}`)
    const shown = message.slice(0, ERROR_CHARS_MAX)
    return failed(null, `the origin "${origin}" answered with error ${answer.code}: ${shown}`)
  }
  // Written as a result by the call
  const result = parseWithLongTexts(answer.text) as Members
  const { content, structuredContent, isError, resultType = 'complete' } = result
  if (code !== undefined) return refusedBy(code, isMembers(structuredContent) ? structuredContent : NOTHING)
  if (resultType !== 'complete') return unusable(`the tool of the origin "${origin}" ${CANNOT_ASK}`)
  return {
    ok: true,
    content: Array.isArray(content) ? content : [],
    structured: isPlain(structuredContent) ? structuredContent : null,
    isError: isError === true,
  }
}

function blockedBy({ code, reason }: GuardRefusal): ToolAnswer {
  return failed(code, reason)
}

function unusable(reason: string): ToolAnswer {
  return failed('upstream_invalid_response', reason)
}

function failed(code: RefusalCode | null, reason: string): ToolAnswer {
  return { ok: false, code, reason, facts: {}, retryAfterMs: 0 }
}

/** @param problem as the call was refused with */
function refusedBy(code: RefusalCode, problem: Members): ToolAnswer {
  const { detail, retry_after_ms: wait, origin, connect_url: page } = problem
  const said = typeof detail === 'string' ? detail : PROBLEMS[code].help
  const members = {
    ...(origin === undefined ? {} : { origin }),
    ...(page === undefined ? {} : { connect_url: page }),
  }
  return {
    ok: false,
    code,
    reason: said.replace(/\.$/, ''),
    // What else a refusal says is for administrators
    facts: code === 'connect_required' ? { detail: said, members } : {},
    retryAfterMs: typeof wait === 'number' ? wait : 0,
  }
}
