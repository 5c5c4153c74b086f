/**
 * The endpoint `/mcp`. Every message has exactly one record: a message that leads to a call has the record of the
 * call; any other message (discovery, notification, refusal) has its own, written when the HTTP request ends. A
 * request without a message (`GET`, `DELETE`, a body that is not JSON) counts as one message.
 */
import type { Clock } from '../../base/clock.ts'
import { DOORS } from '../../base/doors.ts'
import type { Once } from '../../shared-state/ports/once.ts'
import type { Tombstones } from '../../shared-state/ports/tombstones.ts'
import type { Incoming } from '../../wire/port.ts'
import { messageId, toMessageOutcome } from '../http/account.ts'
import type { Sender } from '../http/caller.ts'
import { createHttpDoor, type HttpDoorOptions } from '../http/door.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import { callName, type RunningCalls } from '../http/running.ts'
import type { Door } from '../protocol/door.ts'
import { createMcpEndpoint } from '../protocol/endpoint.ts'
import type { ToolCall, ToolOutcome } from '../protocol/tool-call.ts'
import { checkArguments, TOOL_ARGUMENTS, type ToolName } from './arguments.ts'
import { createCatalogues } from './catalogue.ts'
import { listCollections, listEndpoints } from './discover.ts'
import { execute } from './execute.ts'
import { inspect } from './inspect.ts'
import { INSTRUCTIONS, TOOLS, TOOLS_TTL_MS } from './tools.ts'

export interface ConsumerDoorOptions<State> extends HttpDoorOptions<State> {
  /** 32 bytes that seal session ids; the same on every thread and node. */
  readonly sealKey: Uint8Array
  readonly tombstones: Tombstones
  /** Replies to questions that were used. */
  readonly usedReplies: Once
  readonly running: RunningCalls
  readonly version: string
  readonly clock: Clock
}

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

/** The Gateway MCP door (`/mcp`) of one gateway thread. */
export function createConsumerDoor<State>(
  options: ConsumerDoorOptions<State>,
): (incoming: Incoming<State>) => void {
  const endpoint = createMcpEndpoint(consumerDoor(options), {
    sealKey: options.sealKey,
    clock: options.clock,
    tombstones: options.tombstones,
    usedReplies: options.usedReplies,
    fault: (error) => options.fault(error, ''),
  })
  return createHttpDoor(options, DOORS.consumerMcp.path, () => endpoint)
}

/** The four tools over what the gateway lets the caller see. */
function consumerDoor(
  options: Pick<ConsumerDoorOptions<never>, 'gateway' | 'running' | 'version' | 'fault'>,
): Door<Sender> {
  const { gateway, running } = options
  const catalogueOf = createCatalogues()

  function call(sender: Sender, toolCall: ToolCall, done: (outcome: ToolOutcome) => void): void {
    const { incoming } = sender
    const requestId = messageId(sender.requestId, toolCall.place)
    const caller: Sender = { caller: sender.caller, requestId, incoming }
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
