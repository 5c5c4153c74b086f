/**
 * What the gateway hands over for each request: fixed shape, numbers and short strings, no objects. The batch
 * copies it, so the giver may reuse it. Missing strings are empty, missing numbers -1.
 */
export interface RecordFields {
  id: string
  /** Wall clock, milliseconds since the epoch. */
  timeMs: number
  /** 0 gateway, 1 gateway_mcp. */
  surface: 0 | 1
  method: string
  path: string
  route: string
  collection: string
  proxy: string
  client: string
  profile: string
  credentialId: string
  ip: string
  status: number
  code: string
  reason: string
  stoppedAt: number
  durationMs: number
  upstreamMs: number
  bytesIn: number
  bytesOut: number
  upstreamStatus: number
  aborted: boolean
  /** Only for calls over MCP, and for requests that are made again; null on the plain path. */
  agent: RecordAgent | null
}

/** Characters that are kept of the reason of a call. */
export const CALL_REASON_CHARS_MAX = 500

export interface RecordAgent {
  name: string
  version: string
  sessionId: string
  conversationId: string
  mcpMethod: string
  tool: string
  mcpRequestId: string
  /** At most {@link CALL_REASON_CHARS_MAX}. */
  reason: string
  /** Of a request that was made again: the id of the one before, and the surface by which it was asked for. */
  replayOf?: string
  replayedOver?: string
}

/** Takes records and never waits: bounded, and what does not fit is counted as dropped. */
export interface RecordSink {
  add(fields: RecordFields): void
  /** Records that were dropped because the recorder did not keep up. */
  readonly dropped: number
  /** Hands over what is gathered now; called by a timer and on drain. */
  flush(): void
}
