/** What the MCP codec needs of an endpoint: tools, prompts, resources and callers. */
import type { McpAnswer } from './answer.ts'
import type { Members, RpcId } from './message.ts'
import type { ReceivedMessage } from './received-message.ts'
import type { Relay } from './relay-port.ts'
import type { Said, ToolCall, ToolOutcome } from './tool-call.ts'

/** A tool as clients list it. Schemas are JSON Schema 2020-12 with `type: object` and no union at the root. */
export interface Tool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly inputSchema: Members
  readonly outputSchema?: Members
  readonly annotations: {
    readonly readOnlyHint: boolean
    readonly destructiveHint: boolean
    readonly idempotentHint: boolean
    readonly openWorldHint: boolean
  }
}

/** A prompt as clients list it. */
export interface Prompt {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly arguments: readonly {
    readonly name: string
    readonly description: string
    readonly required: boolean
  }[]
}

/** Prompts that a door offers. */
export interface Prompts<Caller> {
  /** Those of this caller, in a fixed order. */
  readonly list: (caller: Caller) => readonly Prompt[]
  /** The text of a listed prompt, for its user to say; `values` are texts of its arguments. */
  readonly get: (
    caller: Caller,
    name: string,
    values: Readonly<Record<string, string>>,
    said: Said,
  ) => Promise<string>
}

/** A resource as clients list it. */
export interface ListedResource {
  readonly uri: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType: string
}

/** A form of addresses (RFC 6570). */
export interface ResourceTemplate {
  readonly uriTemplate: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly mimeType: string
}

export interface ResourceContent {
  readonly uri: string
  readonly mimeType: string
  readonly text: string
}

/** Resources that a door offers. */
export interface Resources<Caller> {
  /** A page of those of this caller; null for a cursor that no page has answered. */
  readonly list: (
    caller: Caller,
    cursor: string | null,
    said: Said,
  ) => Promise<{ readonly resources: readonly ListedResource[]; readonly nextCursor: string | null } | null>
  readonly templates: (caller: Caller) => readonly ResourceTemplate[]
  /** Null for what is not there for this caller. */
  readonly read: (caller: Caller, uri: string, said: Said) => Promise<ResourceContent | null>
}

/** Values that an argument of a prompt, or of a form of addresses, may have; none for an unknown one. */
export type Completions<Caller> = (
  caller: Caller,
  of: string,
  argument: string,
  said: Said,
) => Promise<readonly string[]>

/** What a codec needs to know of any door. */
interface AnyDoor<Caller> {
  /** Part of every sealed session, so that a session of one door is unknown at another. */
  readonly name: string
  readonly info: { readonly name: string; readonly title: string; readonly version: string }
  /** Who a session belongs to: another principal's session is unknown. */
  readonly identityOf: (caller: Caller) => string
  /** Gives up a call that a session has under way, on whatever thread; unknown ones are left alone. */
  readonly cancel?: (sessionId: string, id: RpcId) => void
  /** Refuses a request before anything is done for it; null where it may be made. */
  readonly refuses?: (caller: Caller, method: string, params: Members, id: RpcId) => McpAnswer | null
  /** Told of each message when its answer is known, and once of a request that holds none. Must not throw. */
  readonly answered?: (caller: Caller, received: ReceivedMessage) => void
}

/** A door with tools of its own. */
export interface ToolDoor<Caller> extends AnyDoor<Caller> {
  readonly relay?: undefined
  /** What a model should know before the first call. */
  readonly instructions: string
  /** Milliseconds for which a caller may keep lists, and what resources hold (2026-07-28: ttlMs). */
  readonly listTtlMs: number
  /** Tools of this caller in a fixed order. The same array as long as nothing changed: answers are kept by it. */
  readonly tools: (caller: Caller) => readonly Tool[]
  /** Runs a call; `done` is called exactly once, now or later. */
  readonly call: (caller: Caller, call: ToolCall, done: (outcome: ToolOutcome) => void) => void
  readonly prompts?: Prompts<Caller>
  readonly resources?: Resources<Caller>
  readonly complete?: Completions<Caller>
}

/** A door in front of other servers. */
interface RelayDoor<Caller> extends AnyDoor<Caller> {
  /** Says what the door is, and answers all methods but discovery, the handshake and ping. */
  readonly relay: Relay<Caller>
}

/** What a codec serves. It knows tools and callers by this alone. */
export type Door<Caller> = ToolDoor<Caller> | RelayDoor<Caller>
