/** The port through which the client of origins sends requests. Pools, credentials and rules are behind it. */

/** A place at the server of an origin. */
export interface OriginPlace {
  readonly path: string
  /** Without `?`; empty for none. */
  readonly query: string
}

/** One HTTP request to the MCP endpoint of an origin. */
export interface OriginRequest {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** Header lines ending in CRLF, without those of framing and of credentials. */
  readonly fields: string
  /** Null for all but POST. */
  readonly body: string | null
  /** Where the server wants it; absent: at the URL of the origin. */
  readonly at?: OriginPlace
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
  /** No answer came. @see isUnreachable it is the server, or the way to it, that failed, and none of what Postern needs itself */
  | { readonly ok: false; readonly reason: string; readonly isUnreachable?: boolean }

/** Sends one request. Never rejects. */
export type SendToOrigin = (request: OriginRequest) => Promise<OriginAnswer>

/** Reads an answer while it comes. Nothing here may throw. */
export interface OriginAnswerReader {
  /** @param header value of a header by its lower-case name */
  head(status: number, header: (name: string) => string | undefined): void
  /** The bytes are a loan for the time of the call. False: enough was read. */
  piece(bytes: Buffer, from: number, to: number): boolean
  /** Told once, unless the request was given up. @param fault why no answer came, or why it broke off; null for one that has ended */
  over(fault: string | null): void
}

/** Sends one request, whose answer may stand for hours. The returned handle ends it. */
export type ReadFromOrigin = (request: OriginRequest, reader: OriginAnswerReader) => { abort(): void }
