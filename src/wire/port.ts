/**
 * What the rest of Postern knows of bytes. An engine implements it on both sides: listeners that call a handler,
 * and upstreams that requests are forwarded to. Engines know no tenants, routes or policies.
 *
 * Invariants every engine keeps:
 * 1. A head is read once; path, host and identity headers are computed once, from accepted bytes only.
 * 2. No byte of a refused request reaches an upstream, and no byte after a refused request is interpreted.
 * 3. Every message is re-serialised; nothing a peer sent is copied except header lines that passed the grammar.
 * 4. For each request `finished` is called exactly once, after everything else about it.
 */

import type { ByteBudget } from '../base/memory/bytes.ts'
import type { UrlSource } from '../base/net/egress.ts'
import type { RefusalCode } from '../base/refusal.ts'

/** Bounds of one listener. Bytes, milliseconds, counts. At each bound the named refusal is sent and the connection closes. */
export interface WireLimits {
  /** Request line and header block together (431 headers_too_large). */
  readonly headBytesMax: number
  /** Request target (414 uri_too_long). */
  readonly targetBytesMax: number
  /** Header fields (431). */
  readonly fieldsMax: number
  /** From the first byte of a head to its end (408 request_timeout); also for the first head of a connection. */
  readonly headTimeoutMs: number
  /** Between two pieces of a request body (408). */
  readonly bodyTimeoutMs: number
  /** Of a request body that is wanted, in each span of `bodyTimeoutMs` (408): who sends less holds what it is sent to for nothing. */
  readonly bodyBytesMin: number
  /** Between requests on a kept-alive connection (closed silently). */
  readonly idleTimeoutMs: number
  /** Time for a caller to take the answer once its socket is full (destroyed). */
  readonly sendTimeoutMs: number
  /** Connections per listener; further ones are closed at once. */
  readonly connectionsMax: number
  /** Pipelined bytes held while a request is in progress; reading pauses beyond. */
  readonly pipelineBytesMax: number
}

/** What a listener does with header names. All names lower case. */
export interface FieldRules {
  /** Values lifted out of the head into {@link Incoming.taken}, in this order, and not passed on. */
  readonly take: readonly string[]
  /** Like `take`, but the line stays in {@link Incoming.pass} too. */
  readonly peek: readonly string[]
  /**
   * Names that say who calls. Refused (400 request_not_canonical) when repeated, when `Connection` names them, or
   * when another spelling stands beside or instead of them that some server would read as the same (`X_Client_ID`).
   */
  readonly identity: readonly string[]
  /** Names never passed on. */
  readonly strip: readonly string[]
  /** Prefixes of names never passed on, such as `x-postern-`. */
  readonly stripPrefixes: readonly string[]
  /** Names, and prefixes of names, whose lines go into {@link Incoming.withheld} in the place of {@link Incoming.pass}. */
  readonly withhold?: readonly string[]
  readonly withholdPrefixes?: readonly string[]
}

/** Why forwarding did not bring an answer. Each maps to one problem code. */
export type UpstreamFailure = 'unreachable' | 'invalid_response' | 'timeout' | 'busy' | 'credential'

/** The problem code of each failure, for requests that are forwarded and for calls from within alike. */
export const FAILURE_CODES: Readonly<Record<UpstreamFailure, RefusalCode>> = {
  unreachable: 'upstream_unreachable',
  invalid_response: 'upstream_invalid_response',
  timeout: 'upstream_timeout',
  busy: 'upstream_unavailable',
  credential: 'credential_unavailable',
}

/** A body of bytes that are kept for many answers, between texts of ASCII that are those of one. The bytes do not change. */
export interface KeptBytes {
  readonly before: string
  readonly bytes: Buffer
  readonly after: string
}

/** One request, from its head to the last byte of its answer. The engine owns and reuses nothing a handler can see. */
export interface Incoming<State = unknown> {
  readonly method: string
  /** Canonical path: unreserved characters decoded, everything ambiguous refused before. Starts with `/`. */
  readonly path: string
  /** Query without `?`, as sent; empty when there is none. */
  readonly query: string
  /** Authority of the request, lower case, with the port as sent; empty only on HTTP/1.0 without Host. */
  readonly host: string
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minor: 0 | 1
  /** Header lines that may be passed on, each ending in CRLF: no framing, hop-by-hop, taken or stripped ones. */
  readonly pass: string
  /** Header lines that a handler may pass on or not, by {@link FieldRules.withhold}; as `pass`. */
  readonly withheld?: string
  /** Values by the order of `take`, then `peek`; repeated fields that are no identity joined by `, ` (RFC 9110 5.3). */
  readonly taken: readonly (string | undefined)[]
  /** Declared body: 0 none, a length in bytes, or -1 chunked. */
  readonly bodyBytes: number
  /** The caller offers to go on as a WebSocket (RFC 6455 4.1); ignored unless the request is forwarded with it. */
  readonly upgrade?: boolean
  /** Address of the peer; IPv4-mapped IPv6 addresses as IPv4. */
  readonly peer: string
  /** What the caller showed of itself in TLS; null without, and where none is asked for. One object for a connection. */
  readonly certificate?: PeerCertificate | null
  /** Index of the listener among those of the engine. */
  readonly listener: number
  /** Largest body accepted; a handler may lower it before forwarding. Beyond it: 413 body_too_large. */
  bodyBytesMax: number
  /** The handler's own. */
  state: State | null

  /**
   * Answers without an upstream. `fields` are header lines ending in CRLF, without framing fields. A body that is
   * still arriving is read and dropped up to a small bound, else the connection closes after the answer.
   */
  answer(status: number, fields: string, body: string | Uint8Array | KeptBytes): void
  /** Sends the request on and streams the answer back, both with backpressure. */
  forward(upstream: Upstream, request: ForwardRequest): void
  /**
   * Answers with a body that the handler writes over time, such as server-sent events. The head is sent at once; `fields`
   * as for `answer`. The answer has no time limit. Bytes that the caller does not read are copied and counted in `budget`;
   * if the budget refuses them, the caller is disconnected, as it is when it reads nothing for `sendTimeoutMs`. The answer to
   * HEAD is its head alone, and the handler must end it all the same. A caller that leaves is noticed at once, unless it has
   * pipelined more than `pipelineBytesMax`: then at the next writes.
   */
  stream(status: number, fields: string, writer: AnswerWriter, budget: ByteBudget): AnswerStream
  /**
   * Reads the whole body, which `forward` then sends on. `null` when it broke a bound, there was no room for it
   * (503 overloaded), it was not whole after `withinMs` (408 request_timeout), or the caller left; then `answer` was
   * given already.
   */
  collect(
    bytesMax: number,
    budget: ByteBudget,
    done: (body: Uint8Array | null) => void,
    withinMs?: number,
  ): void

  /**
   * Shows the body while it is read, by `collect` or on its way to the upstream. Called once, before either. Nothing is held up, and
   * nothing is read that is not wanted anyway.
   */
  watchBody(watch: BodyWatch): void

  /** Results, complete when `finished` is called. */
  readonly outcome: Outcome
}

/** Sees the body of a request. No method may throw. */
export interface BodyWatch {
  /** `bytes[from, to)` is the next part. The engine reuses `bytes` after the call. */
  piece(bytes: Uint8Array, from: number, to: number): void
  /** Called once, before `finished`: the whole body was read, or everything is over before that. */
  end(isWhole: boolean): void
}

/** An answer whose body is written over time. After `end`, `abort` or {@link AnswerWriter.gone} nothing more is sent. */
export interface AnswerStream {
  /**
   * Sends a piece of the body. Text is sent as UTF-8; bytes are copied. False: write no more until
   * {@link AnswerWriter.drained}, or the answer is over.
   */
  write(piece: string | Uint8Array): boolean
  /** Completes the body. Bytes that the caller has not read yet are still sent. */
  end(): void
  /** Breaks the answer off, so that the caller cannot take it for complete (`outcome.truncated`). */
  abort(): void
}

/** The handler's side of an {@link AnswerStream}. An error that a method throws is reported, and breaks the answer off. */
export interface AnswerWriter {
  /** The caller has read everything: more may be written, after `write` returned false. */
  drained(): void
  /**
   * The engine drains and its listeners are closed: the answer should end soon. It is broken off when the engine closes.
   * Called once, never before `stream` has returned.
   */
  draining(): void
  /**
   * The answer is over before its `end`: the caller left or was too slow, or the budget was exhausted. Called before
   * `finished`, possibly inside `write`. If the caller had left before `stream` was called, `gone` is called right after it.
   */
  gone(): void
}

/** A client certificate, as bytes that nobody has judged. */
export interface PeerCertificate {
  /** DER. */
  readonly leaf: Uint8Array
  /** What was sent with it, DER: candidates for the authorities in between. */
  readonly chain: readonly Uint8Array[]
  /** Why it counts for nothing; empty when it may be judged. */
  readonly fault: string
}

/** What became of a request. Times are monotonic milliseconds of the clock; 0 means never. */
export interface Outcome {
  /** When the head had arrived. */
  startedAt: number
  /** Sent to the caller; 0 when nothing was. */
  status: number
  /** Bytes of the bodies, without framing. */
  bytesIn: number
  bytesOut: number
  /** When the request was handed to an upstream connection. */
  upstreamAt: number
  /** When the head of the upstream's answer had arrived. */
  upstreamHeadAt: number
  upstreamStatus: number
  /** The upstream answers with a stream of events: it lasts as long as both ends like. */
  isStream: boolean
  /** When the last byte had been handed to the caller's socket. */
  endedAt: number
  /** The caller went away, or was too slow, before that. */
  aborted: boolean
  /** The upstream broke off after its head had been passed on; the caller's connection was closed. */
  truncated: boolean
}

/** Lower-case header names. */
export type FieldNames = readonly string[]

/** What to send to an upstream. Lines end in CRLF. */
export interface ForwardRequest {
  readonly method: string
  /** Origin-form target, already canonical: path and query. */
  readonly target: string
  /** Value of the Host field. */
  readonly host: string
  /** Header lines, the caller's passed ones and our own; without framing fields. */
  readonly fields: string
  /** Header lines added to the answer; same-named lines of the upstream are dropped. */
  readonly responseFields: string
  /** Lower-case names of `responseFields`. Give the same list again for the same names: an engine prepares each list once. */
  readonly responseNames: FieldNames
  /** Header lines that an answer gets by its `contentKind`; none without. */
  readonly kindFields?: readonly [inert: string, active: string, unknown: string] | undefined
  /** In whose share of the pool's connections it counts; absent for requests of the gateway itself, which have no bound of their own. */
  readonly holder?: string
  /**
   * Pass the caller's offer of a WebSocket on. When the upstream agrees (101), bytes go both ways with backpressure
   * until either side closes, or nothing moves for the idle time of the upstream; the outcome counts them as bodies.
   */
  readonly upgrade?: boolean
  /** Sees the answer while it passes; absent or null on the plain path. */
  readonly tap?: AnswerTap | null
  /** Told once that the head of an answer has come, before anything is done about it; absent or null on the plain path. */
  readonly began?: ((status: number) => void) | null
  /**
   * Asked once, when the head of an answer has come: null passes the answer on. Otherwise, where the whole request is
   * still at hand, the answer is given up and what is promised is sent in its place; only its target and fields may
   * differ. Never rejects: `inner` says why there is nothing to send. A request from within the process that is sent in its place may
   * have an `again` of its own.
   * @param fields header lines of the answer, as a caller would get them
   */
  readonly again?:
    | ((status: number, fields: string) => Promise<ForwardRequest | { readonly inner: string }> | null)
    | null
}

/** Sees an answer while it is passed on to the caller. */
export interface AnswerTap {
  /** Bytes of the body that are copied for `end`. */
  readonly keepBytesMax: number
  /** Where they are counted. */
  readonly budget: ByteBudget
  /**
   * The head has come; `fields` are the lines that are passed on, without `responseFields`. Gives an answer to send in
   * its place (the upstream's is given up), or null to pass it on.
   */
  head(status: number, fields: string): Substitute | null
  /**
   * The whole answer has come, before `finished`; `body` is null when it was longer than what is copied, or there was no
   * room for it. Never called for an answer that broke off or was replaced.
   */
  end(status: number, fields: string, body: Uint8Array | null): void
}

/** An answer in the place of the upstream's; `fields` without `responseFields`, which are not added. */
export interface Substitute {
  readonly status: number
  readonly fields: string
  readonly body: string | Uint8Array
}

/** Gets requests from listeners. No method may throw; a fault is answered with internal_error by the caller of it. */
export interface Handler<State = unknown> {
  /** A head has arrived and is well formed. Must lead to exactly one `answer`, `stream` or `forward`, now or later. */
  request(incoming: Incoming<State>): void
  /**
   * The head or target is not well formed, a body broke a bound, or no answer came from the upstream (failures mapped to their codes). Must `answer`, or,
   * when an upstream failed before it was handed the request (`outcome.upstreamAt` is 0), may `forward` to another one.
   * Of a head that could not be read, only `peer` and what was understood before the fault is filled in (method and path may be empty).
   */
  refused(incoming: Incoming<State>, code: RefusalCode, inner: string): void
  /** All is over; see {@link Outcome}. */
  finished(incoming: Incoming<State>): void
}

export interface ListenOptions {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** Several threads share the port (Linux, FreeBSD). */
  readonly reusePort: boolean
  /** Null or left out for plain HTTP. */
  readonly tls?: TlsOptions | null
  /** For these peers a PROXY protocol header (version 2) comes before everything else; none by default. */
  readonly announces?: ((peer: string) => boolean) | null
}

/** TLS 1.2 and later on a listener. */
export interface TlsOptions {
  /** PEM texts; the first also answers names that none is for, and callers that send no name. Never empty. */
  readonly pairs: readonly { readonly certificate: string; readonly key: string }[]
  /** PEM of the authorities whose client certificates are asked for; null asks for none. Callers without one are let in. */
  readonly clientAuthorities: string | null
  /** Keys of session tickets, 48 bytes, shared by all threads of a port. */
  readonly ticketKeys: Uint8Array
}

/** TLS towards an upstream. Members that are left out: the usual verification, TLS 1.2, no certificate of our own. */
export interface UpstreamTls {
  /** Asked for in the handshake, and looked for in the certificate. */
  readonly serverName: string
  /** PEM texts that are trusted in the place of those of the system. */
  readonly ca?: string | null
  readonly verify?: boolean
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** PEM texts that are shown to an upstream that asks for them. */
  readonly client?: { readonly certificate: string; readonly key: string } | null
}

/** Where requests are forwarded to: one server, a bounded pool of kept-alive connections per thread. */
export interface UpstreamOptions {
  readonly address: { readonly host: string; readonly port: number } | { readonly socketPath: string }
  /**
   * How the address has come to be known, by which the egress rule judges it; `typed` when absent. `own` is a socket of
   * this process itself, which nothing judges.
   */
  readonly from?: UrlSource | 'own'
  readonly tls: UpstreamTls | null
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  /** One holder may use as many as remain free. */
  readonly connectionsMax: number
  /** Requests that wait for a connection, of one holder as many as remain free; beyond: `busy`. */
  readonly waitingMax: number
  /** True for the value of a Set-Cookie field of an answer that is not passed on; all are without. */
  readonly refusesCookie?: (value: string) => boolean
}

export interface Upstream {
  /** Sends one request whose body is at hand and gathers the answer: calls from within the process. */
  call(request: CallRequest, done: (result: CallResult) => void): CallHandle
  /** Sends one request whose body is at hand, and hands the answer over in pieces. `reader` is called after this has returned. */
  stream(request: StreamRequest, reader: AnswerReader): StreamHandle
  readonly open: number
  readonly idle: number
  /** Closes idle connections now and the others when their request ends. */
  close(): void
}

/** A request from within the process. `again` and `began` are called before the answer is handed over; `tap` is ignored. */
export interface StreamRequest extends ForwardRequest {
  readonly body: Uint8Array | null
  /** Bytes of the answer's body that are read: a call is cut off beyond them, a stream fails (`invalid_response`). May be Infinity. */
  readonly readBytesMax: number
  /** Longest pause between two pieces of the answer, in the place of {@link UpstreamOptions.idleTimeoutMs}. */
  readonly idleTimeoutMs?: number
}

export interface CallRequest extends StreamRequest {
  /** Bytes of the answer's body that are kept. */
  readonly keepBytesMax: number
  /** Where the kept bytes are counted; absent for what is bounded otherwise. */
  readonly budget?: ByteBudget
}

export interface CallHandle {
  /** Gives up: the upstream connection is closed and `done` is not called. */
  abort(): void
}

export interface StreamHandle extends CallHandle {
  /** Continues after {@link AnswerReader.piece} returned false. */
  resume(): void
}

/**
 * Receives an answer: `head`, then pieces, then `end` or `failed`; or `failed` alone. No method is called after `abort`, which a
 * method may call too. An error that a method throws is reported, and ends the request as `abort` does.
 */
export interface AnswerReader {
  head(head: AnswerHead): void
  /**
   * `bytes[from, to)` is the next part of the body, at least one byte. The engine reuses `bytes` after the call. False pauses the
   * answer, without a timeout, until {@link StreamHandle.resume}; only `end` or `failed` may still be called.
   */
  piece(bytes: Buffer, from: number, to: number): boolean
  /** The answer is complete. */
  end(): void
  /** The request failed, or the answer broke off. @param upstreamAt as in {@link Outcome} */
  failed(failure: UpstreamFailure, inner: string, upstreamAt: number): void
}

export interface AnswerHead {
  readonly status: number
  /** Header lines of the upstream after the hop-by-hop ones were removed, plus `responseFields`. */
  readonly fields: string
  /** As in {@link Outcome}. */
  readonly upstreamAt: number
  readonly upstreamHeadAt: number
}

export type CallResult =
  | {
      readonly ok: true
      readonly status: number
      /** Header lines of the upstream after the hop-by-hop ones were removed, plus `responseFields`. */
      readonly fields: string
      readonly body: Uint8Array
      /** Bytes of the whole body as far as it was read. */
      readonly bodyBytes: number
      /** More came than was kept. */
      readonly truncated: boolean
      /** There was no room for the body: it was given up, and `body` is empty. */
      readonly isUnheld: boolean
      readonly upstreamAt: number
      readonly upstreamHeadAt: number
    }
  | {
      readonly ok: false
      readonly failure: UpstreamFailure
      readonly inner: string
      readonly upstreamAt: number
    }

/** One listener set with its pools: what a gateway thread runs. */
export interface Engine {
  /** Starts listening. Rejects with the system's error (EADDRINUSE, EACCES). Resolves to the port. */
  listen(options: ListenOptions): Promise<number>
  upstream(options: UpstreamOptions): Upstream
  /**
   * New certificates for the handshakes from now on, on one listener with TLS, by its index; connections go on. Throws on
   * certificates that cannot be used.
   */
  setTls(options: TlsOptions, listener: number): void
  /**
   * Answers with `Connection: close` from now on, then closes listeners and idle connections, see wire/drain. Resolves when all
   * connections are gone, or after `deadlineMs`.
   */
  drain(deadlineMs: number): Promise<void>
  /** Ends everything at once. */
  close(): void
  readonly connections: number
}

/** Header lines without those of the given lower-case names. */
export function withoutFields(fields: string, names: ReadonlySet<string>): string {
  let kept = ''
  let at = 0
  while (at < fields.length) {
    const end = fields.indexOf('\r\n', at) + 2
    const line = fields.slice(at, end)
    if (!names.has(line.slice(0, line.indexOf(':')).toLowerCase())) kept += line
    at = end
  }
  return kept
}
