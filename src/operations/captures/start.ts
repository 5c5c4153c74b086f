import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { Duration, Ref } from '../../model/members.ts'
import { CAPTURE_KEEP_MS, CAPTURED_MAX } from '../../model/workflow/capture.ts'
import { CaptureView, MatchInput } from '../../model/workflow/trial.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, ONCE } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { CAPTURE_COLUMNS, CAPTURE_GROUP, endOrphans, READ_BODY, subject, viewOf } from './view.ts'

const TTL_MS_MIN = 1000

export const startCapture = define({
  resource: 'workflows',
  action: 'start_capture',
  effect: 'act',
  without: ONCE,
  tool: 'start_trigger_capture',
  group: CAPTURE_GROUP,
  summary: 'Keep the next requests of callers to a proxy, to try workflows with them',
  input: z.strictObject({
    proxy: Ref.describe('A published proxy, such as orders:get-order'),
    match: MatchInput.describe('What a request must be like; without it any request is taken'),
    count: z.int().min(1).max(CAPTURED_MAX).default(1).describe('Requests to take'),
    ttl: Duration.refine(isWithin, '1s to 1h').default('10m').describe('How long it waits'),
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
    change.finding = `Waits for ${count} of the requests to ${collection.slug}:${proxy.slug}.`
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
    detail: `At most ${CAPTURED_MAX} requests are kept or waited for together, and ${room} more can be. Cancel captures that are not needed: list_trigger_captures shows them.`,
    errors: [{ pointer: '/count', reason: `at most ${room} now` }],
  })
}
