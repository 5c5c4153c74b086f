/** A call in words: what became of it, where it ended, and the settings that decided. */
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

// Where a call ended, in words.

/** What the gateway writes of a workflow that failed: the node, and why. */
const OF_NODE = /^node "([^"]+)": (.*)$/s

interface Ended {
  /** Such as `the check limits`, or `the node charge of the workflow`. */
  readonly at: string
  /** Why; null if nothing more is known. */
  readonly why: string | null
}

/** @param reason as the record has it. Null for a call that no check ended. */
export function endedOf(check: string | null, reason: string | null): Ended | null {
  if (check === null) return null
  const [, node, why] = OF_NODE.exec(reason ?? '') ?? []
  if (check === 'workflow' && node !== undefined && why !== undefined)
    return { at: `the node ${node} of the workflow`, why }
  return { at: `the check ${check}`, why: reason }
}

// Links to the settings that explanations name, such as `profiles/acme:live ip_allowlist`.

export interface SettingLink {
  readonly text: string
  /** Null for text that names no resource. */
  readonly resource: string | null
  readonly id: string
  /** JSON pointer of the field in the form; empty for the whole resource. */
  readonly pointer: string
}

/** Settings of an explanation, one for each field. They are divided by semicolons, the fields of one resource by commas. */
export function settingLinksOf(setting: string): readonly SettingLink[] {
  return setting.split('; ').flatMap((part): SettingLink[] => {
    const [, resource, id, rest = ''] = /^([a-z_]+)\/(\S+)(?: (.*))?$/.exec(part) ?? []
    if (resource === undefined || id === undefined)
      return [{ text: part, resource: null, id: '', pointer: '' }]
    // "policies/gold of the client" names no field
    if (rest === '' || rest.startsWith('of the ')) {
      const pointer = resource === 'policies' ? '/limits' : ''
      return [{ text: part, resource, id, pointer }]
    }
    return rest.split(', ').map((field) => {
      const name = field.split(':')[0]!.trim()
      return { text: `${resource}/${id} ${field}`, resource, id, pointer: `/${name.replaceAll('.', '/')}` }
    })
  })
}
