/**
 * Captures: requests of callers that are kept for a while, so that workflows and guardrails can be tried with them. Gateway threads read
 * this file, so it has no schemas; `trial.ts` has those.
 */
import type { TrialStep } from './trial.ts'

/** Requests that all captures of the process hold or wait for together. */
export const CAPTURED_MAX = 10
/** Bytes of a body that are kept. */
export const CAPTURE_BYTES_MAX = 64 * 1024
/** How long a request is kept, milliseconds. */
export const CAPTURE_KEEP_MS = 3_600_000
/** Characters of JSON of the values that one node gave, and of all nodes of a run. */
export const VALUE_CHARS_MAX = 8 * 1024
export const VALUES_CHARS_MAX = 64 * 1024

/** How a captured request came. */
export const CAPTURE_DOORS = ['rest', 'execute_call', 'virtual_mcp'] as const
/** What a capture has of a body. */
export const CAPTURED_BODIES = ['none', 'whole', 'cut', 'not_text'] as const

/** What a request must be like. A member that is null or empty fits all requests. */
export interface CaptureMatch {
  readonly method: string | null
  /** The path at the gateway; with `*` at its end, the beginning of the path. */
  readonly path: string | null
  /** Ids. */
  readonly client: string | null
  readonly profile: string | null
  readonly query: Readonly<Record<string, string>>
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** A capture that waits, as gateway threads know it. */
export interface ArmedCapture {
  readonly id: string
  /** Id. */
  readonly proxy: string
  readonly match: CaptureMatch
  /** Requests that it still takes. */
  readonly left: number
}

/** A request that was taken, without credentials and secrets. */
export interface CapturedRequest {
  readonly requestId: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly door: (typeof CAPTURE_DOORS)[number]
  readonly method: string
  readonly path: string
  readonly pathParams: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | readonly string[]>>
  readonly headers: Readonly<Record<string, string>>
  /** JSON, or text; null for none, and for bytes that are neither. */
  readonly body: unknown
  readonly bodyState: (typeof CAPTURED_BODIES)[number]
  /** Bytes of the whole body; null for one that was cut before its end was known. */
  readonly bodyBytes: number | null
  /** Slugs; empty for a person or an agent at a host. */
  readonly client: string
  readonly profile: string
  readonly claims: Readonly<Record<string, string | readonly string[]>>
  readonly ip: string
}

/** What a gateway thread has taken for a capture. */
export type Taken =
  | { readonly capture: string; readonly request: CapturedRequest }
  /** The values that the nodes of the workflow gave in the run for a request that was taken. */
  | { readonly capture: string; readonly requestId: string; readonly values: readonly TrialStep[] }
