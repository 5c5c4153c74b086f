import type { Principal } from '../../access/principal.ts'
import type { Refusal } from '../../base/refusal.ts'
import type { McpRequest } from '../../mcp/protocol/answer.ts'
import type { Said } from '../../mcp/protocol/tool-call.ts'
import type { Via } from '../../operations/engine/call.ts'

/** One HTTP request as a transport hands it over. Header names are asked for in lower case. */
export interface ManagementRequest extends Omit<McpRequest, 'body'> {
  /** `/management/mcp` or its alias. */
  readonly path: string
  /** Without `?`. */
  readonly query: string
  readonly host: string
  readonly ip: string | null
  readonly requestId: string
  /** Reads the message of a principal, which is asked for once that is known: nobody's bytes are kept. May throw a Refusal. */
  readonly body: (principal: string) => Promise<Uint8Array>
}

export type View = 'grouped' | 'full'

/** Who asks, and how. */
export interface ManagementCaller {
  readonly principal: Principal
  readonly view: View
  /** What destroys is put to the person behind the client, where that takes questions. */
  readonly asksPerson: boolean
  readonly request: ManagementRequest
  /** Set when the token of a call was too narrow for it: clients learn that from the status of the answer. */
  beyondScope: Refusal | null
}

/** What a request without JSON-RPC says of itself. */
export const NOTHING_SAID: Said = { agent: { name: '', version: '' }, sessionId: '', conversationId: '' }

/** How a call came in, for the audit. */
export function viaOf(request: ManagementRequest, { agent, sessionId, conversationId }: Said): Via {
  return {
    surface: 'management_mcp',
    requestId: request.requestId,
    ip: request.ip,
    userAgent: request.header('user-agent')?.slice(0, 512) ?? null,
    http: { method: request.method, url: request.path },
    agent: {
      name: agent.name || null,
      version: agent.version || null,
      sessionId: sessionId || null,
      conversationId: conversationId || null,
    },
  }
}
