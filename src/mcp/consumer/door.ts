/**
 * The endpoint `/mcp`. Every message has exactly one record: a message that leads to a call has the record of the
 * call; any other message (discovery, notification, refusal) has its own, written when the HTTP request ends. A
 * request without a message (`GET`, `DELETE`, a body that is not JSON) counts as one message.
 */
import type { AllowsOrigin } from '../../base/allowed-origins.ts'
import { createChallenge } from '../../base/challenge.ts'
import type { Clock } from '../../base/clock.ts'
import { DOORS } from '../../base/doors.ts'
import { PROBLEMS, problemOf, type RefusalCode } from '../../base/refusal.ts'
import type { GatewayPort, Identified } from '../../gateway/port.ts'
import type { Once } from '../../shared-state/ports/once.ts'
import type { Tombstones } from '../../shared-state/ports/tombstones.ts'
import { SMALL_BYTES_MAX } from '../../wire/caller-memory.ts'
import type { Incoming } from '../../wire/port.ts'
import { type McpAnswer, RPC } from '../protocol/answer.ts'
import type { Door } from '../protocol/door.ts'
import { createMcpEndpoint } from '../protocol/endpoint.ts'
import { createRebindingCheck } from '../protocol/rebinding.ts'
import type { ToolCall, ToolOutcome } from '../protocol/tool-call.ts'
import { messageId, refusalOf, toMessageOutcome } from './account.ts'
import { checkArguments, TOOL_ARGUMENTS, type ToolName } from './arguments.ts'
import type { ConsumerCaller } from './caller.ts'
import { createCatalogues } from './catalogue.ts'
import { listCollections, listEndpoints } from './discover.ts'
import { execute } from './execute.ts'
import { headerReader } from './header.ts'
import { inspect } from './inspect.ts'
import { parameterInvalid, refused } from './outcome.ts'
import { callName, type RunningCalls } from './running.ts'
import { INSTRUCTIONS, TOOLS, TOOLS_TTL_MS } from './tools.ts'

export interface ConsumerDoorOptions<State> {
  readonly gateway: GatewayPort
  /** 32 bytes that seal session ids; the same on every thread and node. */
  readonly sealKey: Uint8Array
  readonly tombstones: Tombstones
  /** Replies to questions that were used. */
  readonly usedReplies: Once
  readonly running: RunningCalls
  /** Public origin: `https://api.example.com`. */
  readonly origin: string
  readonly allowsOrigin: AllowsOrigin
  /** Header lines that every answer carries: what a page of another origin may read. */
  readonly corsLines: (incoming: Incoming<State>) => string
  readonly version: string
  readonly clock: Clock
  /** The id that the answer and what the gateway records of the message share. */
  readonly requestId: (incoming: Incoming<State>) => string
  /** Names behind `Incoming.taken`, in its order; all other headers are read from the passed lines. */
  readonly taken: readonly string[]
  readonly fault: (error: unknown, requestId: string) => void
}

/** Largest message. Beyond it the wire answers 413. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024

/** A result holds its JSON as text and as structured content. */
const TEXTS = 2
const NO_ROOM = {
  code: 'overloaded',
  detail:
    'What was asked was done, and the answer could not be kept: too much is kept for callers at the moment.',
  retryAfterMs: null,
} as const

/** Names that are understood though not listed. */
const ALIASES: Readonly<Record<string, ToolName>> = {
  endpoint_details: 'inspect_contract',
  execute_endpoint: 'execute_call',
}

/**
 * The Gateway MCP door (`/mcp`) of one gateway thread. Each message is identified anew, so that a revocation holds
 * from the next one. Order: Origin and Host, credentials, method, envelope, arguments, the call.
 */
export function createConsumerDoor<State>(
  options: ConsumerDoorOptions<State>,
): (incoming: Incoming<State>) => void {
  const refuseRebinding = createRebindingCheck([options.origin], options.allowsOrigin)
  const read = headerReader(options.taken)
  const endpoint = createMcpEndpoint(consumerDoor(options), {
    sealKey: options.sealKey,
    clock: options.clock,
    tombstones: options.tombstones,
    usedReplies: options.usedReplies,
    fault: (error) => options.fault(error, ''),
  })
  const challenge = createChallenge([options.origin], DOORS.consumerMcp.path, 'mcp:tools')

  /** An answer is kept until its caller has read it, and refused where there is no room for it. */
  function send(incoming: Incoming<State>, requestId: string, answer: McpAnswer): void {
    const { body } = answer
    if (body.length > SMALL_BYTES_MAX && !options.gateway.budget(incoming, 'answer').take(body.length)) {
      answerProblem(incoming, requestId, NO_ROOM, challenge, options.corsLines(incoming))
      return
    }
    let fields = `x-request-id: ${requestId}\r\n${options.corsLines(incoming)}`
    for (const name in answer.headers) fields += `${name}: ${answer.headers[name]}\r\n`
    incoming.answer(answer.status, fields, body)
  }

  /** Accounts for a request that no message was read from. */
  function note(incoming: Incoming, requestId: string, code: RefusalCode, reason: string): void {
    options.gateway.message(incoming, { requestId, code, reason, agent: null })
  }

  return (incoming) => {
    const requestId = options.requestId(incoming)
    const guarded = (work: () => void): void => {
      try {
        work()
      } catch (error) {
        options.fault(error, requestId)
        note(incoming, requestId, 'internal_error', 'fault')
        const detail = PROBLEMS.internal_error.help
        const refusal = { code: 'internal_error', detail, retryAfterMs: null } as const
        answerProblem(incoming, requestId, refusal, challenge, options.corsLines(incoming))
      }
    }
    guarded(() => {
      const header = read(incoming)
      const rebinding = refuseRebinding(header('origin'), incoming.host)
      if (rebinding !== null) {
        const { error = RPC.invalidRequest, status } = rebinding
        note(incoming, requestId, refusalOf(error, status), 'Origin or Host')
        return send(incoming, requestId, rebinding)
      }
      const go = (found: Identified): void => {
        if (!found.ok) {
          answerProblem(incoming, requestId, found, challenge, options.corsLines(incoming))
          return
        }
        const { caller } = found
        const answer = (body: Uint8Array): void =>
          guarded(() =>
            endpoint.answer(
              { caller, requestId, incoming },
              { method: incoming.method, header, body },
              (result) => send(incoming, requestId, result),
            ),
          )
        if (incoming.method === 'POST')
          incoming.collect(MESSAGE_BYTES_MAX, options.gateway.budget(incoming, 'body'), (body) => {
            if (body !== null) answer(body)
          })
        else answer(new Uint8Array())
      }
      const found = options.gateway.identify(incoming)
      if (found instanceof Promise) void found.then((settled) => guarded(() => go(settled)))
      else go(found)
    })
  }
}

/** The four tools over what the gateway lets the caller see. */
function consumerDoor(
  options: Pick<ConsumerDoorOptions<never>, 'gateway' | 'running' | 'version' | 'fault'>,
): Door<ConsumerCaller> {
  const { gateway, running } = options
  const catalogueOf = createCatalogues()

  function call(sender: ConsumerCaller, toolCall: ToolCall, done: (outcome: ToolOutcome) => void): void {
    const { incoming } = sender
    const requestId = messageId(sender.requestId, toolCall.place)
    const caller: ConsumerCaller = { caller: sender.caller, requestId, incoming }
    const tool = toolOf(toolCall.name)
    if (tool === null) {
      done(unknownTool(toolCall.name))
      return
    }
    const checked = checkArguments(tool, toolCall.arguments)
    if (!checked.ok) {
      // An error result, which the model reads: protocol errors stay with its client (2025-11-25, server/tools: error handling)
      done(parameterInvalid(caller.requestId, [checked.error], checked.example))
      return
    }
    const { values } = checked
    if (tool !== 'execute_call') {
      const waitMs = gateway.admitDiscovery(caller.caller)
      if (waitMs > 0) {
        done(
          refused('rate_limit_exceeded', caller.requestId, {
            detail: 'Too many discovery calls; keep what was listed and go on with execute_call.',
            members: { limit_name: 'discovery', retry_after_ms: waitMs },
          }),
        )
        return
      }
    }
    const catalogue = catalogueOf(gateway.endpoints(caller.caller))
    if (tool === 'execute_call') {
      const fault = (error: unknown): void => options.fault(error, caller.requestId)
      const budget = gateway.budget(sender.incoming, 'answer')
      // The others of its batch may take long
      const keep = (outcome: ToolOutcome): void =>
        done(
          outcome.kind !== 'result' || budget.take(TEXTS * outcome.json.length)
            ? outcome
            : { ...refused('overloaded', caller.requestId, NO_ROOM), accounted: true },
        )
      execute(gateway, catalogue, caller, values, toolCall, running, fault, keep)
    } else if (tool === 'inspect_contract') done(inspect(gateway, catalogue, caller, values))
    else if (tool === 'list_endpoints') done(listEndpoints(gateway, catalogue, values, caller.requestId))
    else done(listCollections(catalogue))
  }

  return {
    name: 'gateway_mcp',
    info: { name: 'postern', title: 'Postern Gateway', version: options.version },
    instructions: INSTRUCTIONS,
    listTtlMs: TOOLS_TTL_MS,
    identityOf: ({ caller: { client, profile, subject } }) =>
      subject === '' ? `${client.id}/${profile.id}` : `${client.id}/${profile.id}/${subject}`,
    tools: () => TOOLS,
    call,
    cancel: (sessionId, id) => running.cancel(callName(sessionId, id)),
    answered({ incoming, requestId }, received) {
      const { outcome } = received
      // A call that was given up has the record of the call
      if (outcome?.kind === 'cancelled' || (outcome?.kind === 'result' && outcome.accounted === true)) return
      gateway.message(incoming, toMessageOutcome(received, requestId))
    },
  }
}

function toolOf(name: string): ToolName | null {
  if (Object.hasOwn(TOOL_ARGUMENTS, name)) return name as ToolName // its own key, so one of the names
  return Object.hasOwn(ALIASES, name) ? ALIASES[name]! : null
}

function unknownTool(name: string): ToolOutcome {
  return {
    kind: 'invalid_params',
    message: `Unknown tool: ${name.slice(0, 128)}`,
    data: {
      pointer: '/params/name',
      reason: `must be one of ${Object.keys(TOOL_ARGUMENTS).join(', ')}`,
      example: { name: 'list_collections', arguments: {} },
    },
  }
}

function answerProblem(
  incoming: Incoming,
  requestId: string,
  refusal: { readonly code: RefusalCode; readonly detail: string; readonly retryAfterMs: number | null },
  challenge: ReturnType<typeof createChallenge>,
  more: string,
): void {
  const { code, detail, retryAfterMs } = refusal
  const { status } = PROBLEMS[code]
  const members = retryAfterMs === null ? {} : { retry_after_ms: retryAfterMs }
  const body = JSON.stringify(problemOf(code, { detail, members }, requestId))
  let fields = `x-request-id: ${requestId}\r\n${more}content-type: application/problem+json\r\ncache-control: no-store\r\n`
  if (status === 401) fields += `www-authenticate: ${challenge(incoming.host, code)}\r\n`
  if (retryAfterMs !== null) fields += `retry-after: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`
  incoming.answer(status, fields, body)
}
