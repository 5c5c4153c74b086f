/** What became of a call, in a sentence. */
import type { Output } from '../../api/client.ts'

export type CallRecord = Output<'records.list'>['items'][number]

/** `1.2 s`, `12 ms`, `0.4 ms`. */
export function durationOf(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`
}

/** `1.5 KB` of 1500 bytes. */
export function sizeOf(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** `GET /orders/7`, or `tools/call create_order at /mcp/shop` of a message. */
export function callOf({ method, path, mcp_method, tool, capability }: CallRecord): string {
  if (mcp_method === null) return `${method} ${path}`
  const what = capability ?? tool
  return `${mcp_method}${what === null ? '' : ` ${what}`} at ${path}`
}

function callerOf({ client, client_slug, profile_slug, subject }: CallRecord): string {
  if (client_slug !== null)
    return ` by client ${client_slug}${profile_slug === null ? '' : ` (profile ${profile_slug})`}`
  if (client !== null) return ' by a client that was deleted'
  return subject === null ? ' without a known client' : ` by ${subject}`
}

/** `gold/minute` as its policy and its limit. */
export function limitOf(nearest: string | null): { policy: string; limit: string } | null {
  const [, policy, limit] = /^([^/]+)\/(.+)$/.exec(nearest ?? '') ?? []
  return policy === undefined || limit === undefined ? null : { policy, limit }
}

/** Why the call did not succeed; null if it did, or if the record does not tell. */
function causeOf(record: CallRecord): string | null {
  const { check, code, nearest_limit, reason, upstream_status, outcome_class } = record
  const limit = limitOf(nearest_limit)
  if (check === 'limits' && limit !== null) return `limit ${limit.limit} of policy ${limit.policy}`
  if (reason !== null) return reason
  if (check !== null) return `${code ?? 'refused'} at the check ${check}`
  if (code !== null) return code
  if (upstream_status !== null && upstream_status >= 400) return `the upstream answered ${upstream_status}`
  return outcome_class === 'upstream_error' ? 'the upstream did not answer' : null
}

/** Such as `GET /orders/7 by client shop (profile live) was answered 429 in 12 ms: limit minute of policy gold.` */
export function sentenceOf(record: CallRecord): string {
  const { aborted, cache, count, duration_ms, status } = record
  const many = count > 1 ? `${count.toLocaleString('en')} calls like ` : ''
  const from = cache === 'hit' ? ' from the cache' : cache === 'stale' ? ' with a stale response' : ''
  const end = aborted
    ? `ended after ${durationOf(duration_ms)} because the caller disconnected`
    : `${many === '' ? 'was' : 'were'} answered ${status}${from} in ${durationOf(duration_ms)}`
  const cause = aborted ? null : causeOf(record)
  const sentence = `${many}${callOf(record)}${callerOf(record)} ${end}${cause === null ? '' : `: ${cause}`}`
  return sentence.endsWith('.') ? sentence : `${sentence}.`
}

/** True for an answer that somebody may want explained. */
export function isRefusal({ status, aborted }: CallRecord): boolean {
  return status >= 400 && !aborted
}
