/** How nodes of workflows call tools of origins. The client of MCP servers implements it, which the gateway does not know. */
import type { Plain } from '../../base/json/storable.ts'
import type { RefusalCode, RefusalFacts } from '../../base/refusal.ts'
import type { Tally } from '../../guardrails/tally.ts'
import type { McpGuardrails } from '../../snapshot/linked-types/guardrail.ts'
import type { LinkedOrigin } from '../../snapshot/linked-types/mcp.ts'
import type { CallHandle } from '../../wire/port.ts'
import type { Caller, GatewayPort } from '../port.ts'

/** What requests of a call to an origin ask of the gateway. */
export type OriginGateway = Pick<
  GatewayPort,
  'call' | 'connectionOf' | 'message' | 'budget' | 'reserve' | 'askWebhook'
>

/** A tool that a node calls. */
export interface CalledTool {
  readonly origin: LinkedOrigin
  /** At the origin. */
  readonly name: string
  /** Input schema as the origin lists it; null where it has none. */
  readonly schema: Plain | null
  readonly arguments: Plain
  /** Those that name the origin; null where there are none. */
  readonly guardrails: McpGuardrails | null
}

/** The call of a tool, with the services of the request whose workflow makes it. */
export interface ToolCall extends CalledTool {
  /** Its calls are steps of that request. */
  readonly gateway: OriginGateway
  readonly caller: Caller
  readonly requestId: string
  /** Empty where none is known. */
  readonly traceParent: string
  readonly traceState: string
  /** Where guardrails count. */
  readonly tally: Tally
}

export type ToolAnswer =
  | {
      readonly ok: true
      /** As the tool gave them. */
      readonly content: readonly unknown[]
      /** Null where it gave none. */
      readonly structured: unknown
      /** The tool says that it has failed. */
      readonly isError: boolean
    }
  | {
      readonly ok: false
      /** Of the refusal; null where the origin answered with an error. */
      readonly code: RefusalCode | null
      /** A sentence without a full stop. */
      readonly reason: string
      readonly facts: RefusalFacts
      /** Milliseconds; 0 where nothing is known. */
      readonly retryAfterMs: number
    }

/** `done` is told once, never at once, and never of a call that was given up. */
export type CallTool = (call: ToolCall, done: (answer: ToolAnswer) => void) => CallHandle
