/**
 * What came of the last probe of an origin: a part of its state that is written with every probe, and counts no revision. From it follow
 * the status that reads show, and when the timer probes again.
 */

import { toMs, toTime } from '../../base/clock.ts'
import { contentHash } from '../../base/json/canonical.ts'
import type { OriginProbed, OriginSpec, ProbeStep } from '../../model/mcp/origin.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields } from '../../store/ports/resource.ts'

/** Name of the part of an origin's state that {@link Attempt} is. */
export const ATTEMPT = 'attempt'

export interface Attempt {
  readonly at: string
  /** What was tried that did not work, as one sentence; null when the catalogue was read. */
  readonly error: string | null
  /** Failed probes since the last one that worked. */
  readonly failures: number
  /** Since when its server cannot be reached, or fails, as each probe has found; null while it answers. Absent in what earlier versions wrote. */
  readonly outage_since?: string | null
  /** Time for which the origin says that its lists hold, milliseconds. */
  readonly ttl_ms: number | null
  /** Of what was probed, see {@link probedKeyOf}. */
  readonly of: string
}

/** An origin is never asked more often than that by itself. */
const REFRESH_MS_MIN = 60_000
/** Until the second try after a failure; each further wait is twice as long, up to the interval of the origin. */
const RETRY_MS = 60_000
const DOUBLED_MAX = 10

/** Tells whether a change of a spec makes what was found out about the origin before mean nothing. */
export function probedKeyOf(spec: Fields): string {
  // Parsed by the schema, then references became ids, which are strings too.
  const { kind, url, credential, tls, entry, parameters, auth_mode } = spec
  if (kind === 'stdio') return contentHash([kind, entry, parameters])
  // Specs stored by earlier versions have no mode
  const mode = auth_mode === undefined || auth_mode === 'static' ? [] : [auth_mode]
  return contentHash([kind, url, credential, tls, ...mode])
}

/** What is kept of a probe. @param before what was kept of the one before it */
export function toAttempt(came: OriginProbed, spec: Fields, before: Attempt | null, now: number): Attempt {
  const { found, isOutage = false } = came
  const since = before === null ? null : downSince(spec, before)
  return {
    at: toTime(now),
    error: found === null ? reasonOf(came, spec) : null,
    failures: found === null ? (before?.failures ?? 0) + 1 : 0,
    outage_since: isOutage ? (since ?? toTime(now)) : null,
    ttl_ms: found?.ttl_ms ?? null,
    of: probedKeyOf(spec),
  }
}

/** Why a catalogue was not read, as one sentence. */
export function reasonOf(
  { steps, needsSignIn }: Pick<OriginProbed, 'steps' | 'needsSignIn'>,
  { auth_mode: mode = 'static' }: Fields,
): string {
  if (needsSignIn !== true) return failureOf(steps)
  return mode === 'static'
    ? 'The server asks for a sign-in (401): set credential, or auth_mode such as user_oauth.'
    : 'The server asks for a sign-in (401): its catalogue is read when an account is connected at /connect.'
}

/** What a step of a probe asks for, as administrators find it in the documentation of their server. */
const REQUEST_OF: Readonly<Record<ProbeStep['step'], string>> = {
  entries: 'GET /entries',
  discover: 'server/discover',
  initialize: 'initialize',
  sse: 'GET for HTTP+SSE',
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  resource_templates: 'resources/templates/list',
}

/** What was tried last and what came back, as one sentence. */
function failureOf(steps: OriginProbed['steps']): string {
  const failed = steps.findLast(({ ok }) => !ok)
  if (failed === undefined) return 'The origin returned no valid response.'
  const { step, status, error } = failed
  const came = [...(status === null ? [] : [`status ${status}`]), ...(error === null ? [] : [error])]
  // The error may be a sentence: the detail of a problem object
  return `${REQUEST_OF[step]} failed: ${(came.join(', ') || 'no answer').replace(/\.$/, '')}.`
}

/** Last attempts of origins, by id. */
export async function attemptsOf(
  reader: Pick<ConfigReader, 'statesOf'>,
  origins: readonly string[],
): Promise<ReadonlyMap<string, Attempt>> {
  const states = await reader.statesOf(origins, ATTEMPT)
  // Written by this folder from this very type
  return new Map(states.map(({ owner, json }) => [owner, JSON.parse(json) as Attempt]))
}

/** Since when the server of an origin, as it is now, cannot be reached; null while it can, and while that is not known. */
export function downSince(spec: Fields, attempt: Attempt | undefined): string | null {
  return attempt !== undefined && attempt.of === probedKeyOf(spec) ? (attempt.outage_since ?? null) : null
}

/** True when an origin is to be probed again. An attempt that lies ahead was made before the clock was set back. */
export function isDue(spec: Fields, attempt: Attempt | undefined, now: number): boolean {
  if (attempt === undefined || attempt.of !== probedKeyOf(spec)) return true
  const interval = Math.max(REFRESH_MS_MIN, toMs((spec as OriginSpec).catalog_refresh))
  const retry = RETRY_MS * 2 ** Math.min(DOUBLED_MAX, attempt.failures - 1)
  const wait =
    attempt.error === null
      ? Math.max(REFRESH_MS_MIN, attempt.ttl_ms ?? interval)
      : Math.min(retry, Math.max(RETRY_MS, interval))
  const passed = now - Date.parse(attempt.at)
  return passed >= wait || passed < -REFRESH_MS_MIN
}
