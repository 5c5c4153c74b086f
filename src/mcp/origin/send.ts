/** How the client of an origin reaches it: over pools, credentials and rules that it knows nothing of. */

/** One HTTP request to the MCP endpoint of an origin. */
export interface OriginRequest {
  readonly method: 'POST' | 'DELETE'
  /** Header lines ending in CRLF, without those of framing and of credentials. */
  readonly fields: string
  /** Null for DELETE. */
  readonly body: string | null
}

export type OriginAnswer =
  | {
      readonly ok: true
      readonly status: number
      /** Value of a header by its lower-case name. */
      readonly header: (name: string) => string | undefined
      readonly body: Uint8Array
      /** More came than is read. */
      readonly truncated: boolean
    }
  | { readonly ok: false; readonly reason: string }

/** Sends one request. Never rejects. */
export type SendToOrigin = (request: OriginRequest) => Promise<OriginAnswer>
