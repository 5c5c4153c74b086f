import type { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import type {
  CAPTURE_STATES,
  CaptureSummary,
  CaptureView,
  RequestFixture,
} from '../../model/workflow/trial.ts'
import type { Subject } from '../engine/call.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Placed } from '../engine/permission.ts'
import type { KeptCapture } from '../engine/ports.ts'
import { nodesOf } from '../workflows/trial.ts'

export const READ_BODY = 'records:read_body'
export const CAPTURE_GROUP = 'manage_workflows'
export const CAPTURE_COLUMNS = ['id', 'state', 'proxy', 'captured', 'count', 'expires_at', 'next']

/** What the audit calls it. */
export const subject = (input: object, output: object | undefined): Subject => {
  const id = [output, input].map((from) => idIn(from)).find((one) => one !== null) ?? null
  return { type: 'capture', id, slug: null }
}

function idIn(from: object | undefined): string | null {
  const { id, capture } = (from ?? {}) as { readonly id?: unknown; readonly capture?: unknown }
  return [id, capture].find((one): one is string => typeof one === 'string') ?? null
}

type KeptRequest = KeptCapture['requests'][number]

/**
 * A capture of a proxy whose bodies the caller may read. A capture whose proxy was deleted is ended first. Refuses with not_found: a
 * capture beyond the scope of the caller is not told of.
 */
export async function findCapture(id: string, context: OperationContext): Promise<KeptCapture> {
  await endOrphans(context)
  const found = context.captures.find(id)
  if (found !== undefined && (await mayRead(found, context))) return found
  throw refuse('not_found', { detail: `There is no capture "${id}".` })
}

/** Those of which the caller may read the bodies, newest first. */
export async function readableCaptures(context: OperationContext): Promise<readonly KeptCapture[]> {
  await endOrphans(context)
  const found: KeptCapture[] = []
  for (const one of context.captures.all()) if (await mayRead(one, context)) found.push(one)
  return found
}

async function mayRead(capture: KeptCapture, context: OperationContext): Promise<boolean> {
  return context.allows(READ_BODY, await placeOf(capture, context))
}

/** What rights for a capture are judged by: its proxy as it is now, or as it was when it is gone. */
export async function placeOf({ proxy }: KeptCapture, { whole }: OperationContext): Promise<Placed> {
  return (await whole.byId('proxies', proxy.id)) ?? proxy
}

/** What was kept of a proxy goes with the proxy. */
export async function endOrphans({ captures, whole }: OperationContext): Promise<void> {
  for (const { id, proxy, end } of captures.all())
    if (end === null && (await whole.byId('proxies', proxy.id)) === undefined)
      await captures.end(id, 'proxy_deleted')
}

function stateOf(
  capture: KeptCapture,
  { captures }: Pick<OperationContext, 'captures'>,
): (typeof CAPTURE_STATES)[number] {
  if (capture.end !== null) return 'cancelled'
  if (captures.isWaiting(capture)) return 'waiting'
  return capture.requests.length > 0 ? 'captured' : 'expired'
}

export function summaryOf(
  capture: KeptCapture,
  context: Pick<OperationContext, 'captures'>,
): z.output<typeof CaptureSummary> {
  const { id, proxy, collection, match, named, count, startedAt, startedBy, until, requests } = capture
  const state = stateOf(capture, context)
  return {
    id,
    state,
    next: nextOf(capture, state),
    proxy: `${collection}:${proxy.slug}`,
    match: { ...match, ...named, query: { ...match.query }, headers: { ...match.headers } },
    count,
    captured: requests.length,
    created_at: toTime(startedAt),
    created_by: startedBy,
    expires_at: toTime(until),
  }
}

function nextOf(
  { id, end, collection, proxy, until, requests, count }: KeptCapture,
  state: (typeof CAPTURE_STATES)[number],
): string {
  const name = `${collection}:${proxy.slug}`
  switch (state) {
    case 'waiting': {
      const left = count - requests.length
      return `Have a client call ${name} before ${toTime(until)}: ${left} more ${left === 1 ? 'request is' : 'requests are'} taken. Then get the capture again.`
    }
    case 'captured':
      return `Give capture "${id}" to test_workflow, test_node or test_guardrail, or save request as the request of a test. It is deleted at ${toTime(requests[0]!.keptUntil)}.`
    case 'expired':
      return `Nothing is kept: no request that fits came before ${toTime(until)}, or it was deleted after 1 hour. Start another capture.`
    case 'cancelled':
      return end === 'proxy_deleted'
        ? `The proxy ${name} was deleted, and what was captured with it. Start a capture for another proxy.`
        : 'The capture was cancelled, and what it had taken is deleted. Start another one.'
  }
}

export function viewOf(
  capture: KeptCapture,
  context: Pick<OperationContext, 'captures'>,
): z.output<typeof CaptureView> {
  return { ...summaryOf(capture, context), requests: capture.requests.map(requestView) }
}

function requestView({ request, keptUntil, values }: KeptRequest) {
  return {
    request_id: request.requestId,
    time: toTime(request.at),
    door: request.door,
    request: fixtureOf(request),
    body_state: request.bodyState,
    body_bytes: request.bodyBytes,
    kept_until: toTime(keptUntil),
    nodes: values === null ? null : nodesOf({ steps: values }),
  }
}

/** The request as trials and saved tests take it. */
export function fixtureOf(request: KeptRequest['request']): RequestFixture {
  const { method, path, pathParams, query, headers, body, client, profile, claims, ip } = request
  return {
    // Methods of requests that a proxy admits
    method: method as RequestFixture['method'],
    path,
    path_params: { ...pathParams },
    query: { ...query } as RequestFixture['query'],
    headers: { ...headers },
    body,
    ...(client === '' ? {} : { client, profile }),
    claims: { ...claims } as RequestFixture['claims'],
    ip,
  }
}
