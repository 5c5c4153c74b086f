/**
 * Estimates how many tokens a message at a virtual MCP costs the model of the caller. Records have sizes and no bodies, so
 * the estimate is made from bytes. It is made when a record is read: gateway threads count no tokens, and old records are
 * counted in the same way.
 */
import type { RecordFields } from './fields.ts'

/** UTF-8 bytes of JSON for each token: 2.8 to 4.3 in samples of o200k_base, from rows of short values to schemas. */
const BYTES_PER_TOKEN = 3.5
/** Of JSON-RPC around a result, which no model reads. */
const ENVELOPE_BYTES = 64

export interface TokenEstimate {
  readonly in: number
  readonly out: number
}

/** Null for a request that no MCP message of a virtual MCP was read from. */
export function estimatedTokens({
  surface,
  agent,
  argumentBytes,
  bytesOut,
}: Pick<RecordFields, 'surface' | 'agent' | 'argumentBytes' | 'bytesOut'>): TokenEstimate | null {
  if (surface !== 2 || agent === null) return null
  return { in: tokensOf(argumentBytes), out: tokensOf(bytesOut - ENVELOPE_BYTES) }
}

function tokensOf(bytes: number): number {
  return Math.ceil(Math.max(0, bytes) / BYTES_PER_TOKEN)
}
