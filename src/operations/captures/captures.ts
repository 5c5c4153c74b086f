import { z } from 'zod'
import { DURATION_PATTERN, toMs, toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { Duration, Ref } from '../../model/members.ts'
import { CAPTURE_KEEP_MS, CAPTURED_MAX } from '../../model/workflow/capture.ts'
import {
  type CAPTURE_STATES,
  CaptureSummary,
  CaptureView,
  MatchInput,
  RequestFixture,
} from '../../model/workflow/trial.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Subject } from '../engine/call.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, ONCE } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import type { Placed } from '../engine/permission.ts'
import type { KeptCapture } from '../engine/ports.ts'
import { getRef } from '../engine/refs.ts'
import { nodesOf } from '../workflows/trial.ts'

const READ_BODY = 'records:read_body'
const CAPTURE_GROUP = 'manage_workflows'
const CAPTURE_COLUMNS = ['id', 'state', 'proxy', 'captured', 'count', 'expires_at', 'next']

/** What the audit calls it. */
const subject = (input: object, output: object | undefined): Subject => {
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
async function findCapture(id: string, context: OperationContext): Promise<KeptCapture> {
  await endOrphans(context)
  const found = context.captures.find(id)
  if (found !== undefined && (await mayRead(found, context))) return found
  throw refuse('not_found', { detail: `There is no capture "${id}".` })
}

/** Those of which the caller may read the bodies, newest first. */
async function readableCaptures(context: OperationContext): Promise<readonly KeptCapture[]> {
  await endOrphans(context)
  const found: KeptCapture[] = []
  for (const one of context.captures.all()) if (await mayRead(one, context)) found.push(one)
  return found
}

async function mayRead(capture: KeptCapture, context: OperationContext): Promise<boolean> {
  return context.allows(READ_BODY, await placeOf(capture, context))
}

/** What rights for a capture are judged by: its proxy as it is now, or as it was when it is gone. */
async function placeOf({ proxy }: KeptCapture, { whole }: OperationContext): Promise<Placed> {
  return (await whole.byId('proxies', proxy.id)) ?? proxy
}

/** What was kept of a proxy goes with the proxy. */
async function endOrphans({ captures, whole }: OperationContext): Promise<void> {
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

function summaryOf(
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
      return `Call ${name} as a client before ${toTime(until)}: ${left} more ${left === 1 ? 'request is' : 'requests are'} captured. Then get the capture again.`
    }
    case 'captured':
      return `Give capture "${id}" to test_workflow, test_node or test_guardrail, or save request as the request of a test. It is deleted at ${toTime(requests[0]!.keptUntil)}.`
    case 'expired':
      return `No request is stored: no matching request arrived before ${toTime(until)}, or the captured requests were deleted after 1 hour. Start another capture.`
    case 'cancelled':
      return end === 'proxy_deleted'
        ? `The proxy ${name} was deleted, together with its captured requests. Start a capture for another proxy.`
        : 'The capture was cancelled, and its requests were deleted. Start another capture.'
  }
}

function viewOf(
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
function fixtureOf(request: KeptRequest['request']): RequestFixture {
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

const CaptureId = z.string().min(1).max(64)

export const cancelCapture = define({
  resource: 'workflows',
  action: 'cancel_capture',
  effect: 'act',
  without: ONCE,
  tool: 'cancel_trigger_capture',
  group: CAPTURE_GROUP,
  summary: 'End a capture, and delete its requests',
  input: z.strictObject({ capture: CaptureId.describe('Id of the capture') }),
  output: CaptureSummary,
  permission: READ_BODY,
  refuses: ['not_found', 'idempotency_conflict'],
  columns: CAPTURE_COLUMNS,
  subject,
  handle: async ({ capture: id }, context) => {
    const { captures, change } = context
    const found = await findCapture(id, context)
    await context.demand('workflows:test', await placeOf(found, context))
    await captures.end(id, 'cancelled')
    change.finding = `${found.requests.length} captured requests were deleted.`
    return summaryOf(captures.find(id) ?? found, context)
  },
})

export const listCaptures = define({
  resource: 'workflows',
  action: 'captures',
  effect: 'read',
  tool: 'list_trigger_captures',
  group: CAPTURE_GROUP,
  summary: 'List captures, newest first, without their requests',
  input: z.strictObject(page),
  output: pageOf(CaptureSummary),
  permission: READ_BODY,
  refuses: [],
  columns: CAPTURE_COLUMNS,
  subject: () => subject({}, undefined),
  handle: async ({ limit, cursor }, context) => {
    const before = cursor === undefined ? null : fromCursor(cursor, /^cap_[0-9a-z]{26}$/)
    const found = (await readableCaptures(context)).filter(({ id }) => before === null || id < before)
    const items = found.slice(0, limit)
    return {
      items: items.map((one) => summaryOf(one, context)),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})

export const getCapture = define({
  resource: 'workflows',
  action: 'get_capture',
  effect: 'read',
  tool: 'get_trigger_capture',
  group: CAPTURE_GROUP,
  summary: 'Show the state of a capture, its requests, and what to do next',
  input: z.strictObject({ capture: CaptureId.describe('Id of the capture') }),
  output: CaptureView,
  permission: READ_BODY,
  noted: 'READ',
  refuses: ['not_found'],
  columns: CAPTURE_COLUMNS,
  subject,
  handle: async ({ capture }, context) => viewOf(await findCapture(capture, context), context),
})

// Uses captured requests in the place of given requests and samples.

/** Input of operations that take a captured request. */
export const FromCapture = CaptureId.optional().describe(
  'Id of a capture, instead of request: its first request. Needs records:read_body',
)
export const GivenRequest = RequestFixture.optional().describe('The request of the trigger')

/** The first request of a capture, with its whole body. Refuses with permission_denied, not_found, configuration_invalid. */
export async function capturedRequest(
  id: string,
  context: OperationContext,
): Promise<KeptCapture['requests'][number]['request']> {
  context.require(READ_BODY)
  const { requests } = await findCapture(id, context)
  const first = requests[0]?.request
  if (first === undefined)
    throw refused(`The capture "${id}" has no request; get_trigger_capture shows what to do next.`, 'empty')
  const { bodyState } = first
  if (bodyState === 'cut' || bodyState === 'not_text')
    throw refused(
      `The capture "${id}" has ${bodyState === 'cut' ? 'only the beginning of the body' : 'no body, since it is neither JSON nor text'}. Give a request with a body of your own.`,
      'without its whole body',
    )
  return first
}

function refused(detail: string, reason: string) {
  return refuse('configuration_invalid', { detail, errors: [{ pointer: '/capture', reason }] })
}

/** The request that is given, or captured; without either an empty one. Refuses with input_invalid both. */
export async function requestOf(
  {
    request,
    capture,
  }: { readonly request?: RequestFixture | undefined; readonly capture?: string | undefined },
  context: OperationContext,
): Promise<RequestFixture> {
  if (capture === undefined) return request ?? RequestFixture.parse({})
  if (request !== undefined)
    throw refuse('input_invalid', {
      detail: 'Give either request or capture.',
      errors: [{ pointer: '/capture', reason: 'either request or capture' }],
    })
  return fixtureOf(await capturedRequest(capture, context))
}

const TTL_MS_MIN = 1000

export const startCapture = define({
  resource: 'workflows',
  action: 'start_capture',
  effect: 'act',
  without: ONCE,
  tool: 'start_trigger_capture',
  group: CAPTURE_GROUP,
  summary: 'Capture the next requests of callers to a proxy, to test workflows with them',
  input: z.strictObject({
    proxy: Ref.describe('A published proxy, such as orders:get-order'),
    match: MatchInput.describe('Conditions on the request; without them any request is captured'),
    count: z.int().min(1).max(CAPTURED_MAX).default(1).describe('Number of requests to capture'),
    ttl: Duration.refine(isWithin, '1s to 1h').default('10m').describe('Waiting time'),
  }),
  output: CaptureView,
  permission: READ_BODY,
  refuses: ['not_found', 'configuration_invalid', 'idempotency_conflict'],
  columns: CAPTURE_COLUMNS,
  subject,
  handle: async ({ proxy: ref, match, count, ttl }, context) => {
    const { captures, change, principal } = context
    const proxy = await getRef(context.reader, 'proxies', ref)
    await context.demand(READ_BODY, proxy)
    await context.demand('workflows:test', proxy)
    const collection = (await context.whole.byId('collections', proxy.parent!))!
    refuseUnpublished(proxy, collection)
    await endOrphans(context)
    const named = {
      client: await find('clients', match.client, context),
      profile: await find('profiles', match.profile, context),
    }
    // Nothing is waited for in between: captures that are started together would each find the same room
    refuseFull(captures.room(), count)
    const capture = await captures.start({
      proxy,
      collection: collection.slug,
      match: {
        method: match.method ?? null,
        path: match.path ?? null,
        client: named.client?.id ?? null,
        profile: named.profile?.id ?? null,
        query: match.query,
        headers: Object.fromEntries(
          Object.entries(match.headers).map(([name, value]) => [name.toLowerCase(), value]),
        ),
      },
      named: { client: named.client?.slug ?? null, profile: named.profile?.slug ?? null },
      count,
      ttlMs: toMs(ttl),
      startedBy: principal.name,
    })
    change.finding = `Waiting for ${count} ${count === 1 ? 'request' : 'requests'} to ${collection.slug}:${proxy.slug}.`
    return viewOf(capture, context)
  },
})

/** What is no duration is told by the schema. */
function isWithin(text: string): boolean {
  return !DURATION_PATTERN.test(text) || (toMs(text) >= TTL_MS_MIN && toMs(text) <= CAPTURE_KEEP_MS)
}

async function find(type: 'clients' | 'profiles', ref: string | undefined, context: OperationContext) {
  return ref === undefined ? null : getRef(context.reader, type, ref)
}

function refuseUnpublished(proxy: Resource, collection: Resource): void {
  const off = [proxy, collection].find(({ spec }) => spec['status'] !== 'published')
  if (off === undefined) return
  throw refuse('configuration_invalid', {
    detail: `"${off.slug}" is not published, so no request reaches the proxy. Publish it first.`,
    errors: [{ pointer: '/proxy', reason: 'not published' }],
  })
}

function refuseFull(room: number, count: number): void {
  if (count <= room) return
  throw refuse('configuration_invalid', {
    detail: `All captures together can have at most ${CAPTURED_MAX} stored or expected requests; there is room for ${room} more. Cancel captures that you do not need: list_trigger_captures shows them.`,
    errors: [{ pointer: '/count', reason: `at most ${room} now` }],
  })
}
