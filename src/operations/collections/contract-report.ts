import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refersTo, unit } from '../../model/annotations.ts'
import { ValidationMode } from '../../model/api/proxy.ts'
import { Ref, When } from '../../model/members.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { viewOf } from '../engine/views.ts'
import { replaceResource } from '../engine/write-resource.ts'
import { rangeOf, recordCoverage } from '../metrics/measure.ts'
import { proxyKind } from '../proxies/kind.ts'
import { toSelection } from '../records/records.ts'
import { collectionKind } from './kind.ts'

export const contractReport = define({
  resource: 'collections',
  action: 'contract_report',
  effect: 'read',
  tool: 'get_contract_report',
  group: 'manage_collections',
  summary: 'List the recorded calls that an enforced contract would refuse, by endpoint and pointer',
  input: z.strictObject({
    id: Ref,
    proxy: Ref.optional().describe('Only this proxy'),
    from: When.default('-7d').describe(
      'Start, inclusive: 2026-05-01T00:00:00Z, 2026-05-01, or -30d for 30 days ago',
    ),
    to: When.default('now').describe(
      'End, exclusive: same format as from, or now. At most 90 days after from',
    ),
    limit: z.coerce.number().int().min(1).max(200).default(50).describe('Maximum number of items'),
  }),
  output: z.object({
    ...recordCoverage,
    request_validation: ValidationMode.describe('Current request_validation of the collection'),
    response_validation: ValidationMode.describe('Current response_validation of the collection'),
    requests: z.int().meta(unit('requests')).describe('Requests to the collection in this time'),
    would_refuse: z
      .int()
      .describe(
        'Forwarded requests that would be refused, for themselves or for their response. Of responses, each gateway thread checks up to 10 a second of each endpoint',
      ),
    places: z.int().describe('Total number of pairs of endpoint and pointer'),
    items: z
      .array(
        z.object({
          endpoint: z.string().describe('Method and route'),
          proxy: z.string().meta(refersTo('proxies')).describe('Id'),
          code: z
            .string()
            .describe('The refusal, such as body_invalid; response_invalid is about the response'),
          pointer: z.string().describe('Location of the first violation; * matches any index'),
          reason: z.string().describe('Violation in the last of these requests'),
          requests: z.int().meta(unit('requests')),
          faults: z.int().describe('Number of violations in these requests'),
          first_seen: z.string(),
          last_seen: z.string(),
          record: z.string().describe('Id of the last record'),
        }),
      )
      .describe('Most requests first'),
  }),
  permission: 'records:read',
  refuses: ['not_found', 'records_unavailable'],
  columns: ['endpoint', 'pointer', 'code', 'requests', 'reason', 'last_seen'],
  subject: (input) => ({ type: collectionKind.noun, id: null, slug: input.id }),
  handle: async ({ id, limit, ...input }, context) => {
    const collection = await context.find('collections', id)
    const selection = await toSelection({ ...input, collection: collection.id }, context)
    const [fromMs, toMs] = rangeOf(selection)
    const answer = await context.records.contract({ selection, limit })
    return {
      from: toTime(fromMs),
      to: toTime(toMs),
      truncated: answer.completeFrom !== null,
      complete_from: answer.completeFrom ?? toTime(fromMs),
      sampled: false as const,
      records_read: answer.read,
      request_validation: ValidationMode.parse(collection.spec['request_validation'] ?? 'enforce'),
      response_validation: ValidationMode.parse(collection.spec['response_validation'] ?? 'report'),
      requests: answer.requests,
      would_refuse: answer.wouldRefuse,
      places: answer.total,
      items: answer.groups.map(({ method, route, firstMs, lastMs, ...group }) => ({
        ...group,
        endpoint: `${method} ${route}`,
        first_seen: toTime(firstMs),
        last_seen: toTime(lastMs),
      })),
    }
  },
})

export const enforceCollection = define({
  resource: 'collections',
  action: 'enforce',
  effect: 'act',
  tool: 'enforce_contract',
  group: 'manage_collections',
  summary:
    'Enforce the contract of a collection and of its proxies in report mode. First run contract-report to see which calls would be refused',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    collection: collectionKind.view,
    proxies: z
      .array(z.string().meta(refersTo('proxies')))
      .describe('Slugs of the proxies changed from report to inherit'),
    off: z.int().describe('Number of proxies with validation off, which do not change'),
  }),
  permission: 'collections:update',
  refuses: CHANGE_REFUSES,
  sentences,
  columns: ['collection.slug', 'collection.request_validation', 'proxies', 'off'],
  subject: (input, output) => ({
    type: collectionKind.noun,
    // The view of a stored collection has both.
    id: (output?.collection['id'] as string | undefined) ?? null,
    slug: (output?.collection['slug'] as string | undefined) ?? input.id,
  }),
  handle: async ({ id }, context) => {
    const collection = await context.change.act('collections', id)
    const proxies = await context.reader.all('proxies', collection.id)
    const reporting = proxies.filter(({ spec }) => spec['request_validation'] === 'report')
    for (const proxy of reporting)
      await replaceResource(context, proxyKind, proxy, { ...proxy.spec, request_validation: 'inherit' })
    if (collection.spec['request_validation'] !== 'enforce')
      await replaceResource(context, collectionKind, collection, {
        ...collection.spec,
        request_validation: 'enforce',
      })
    const stored = (await context.reader.byId('collections', collection.id)) ?? collection
    return {
      collection: await viewOf(context.reader, collectionKind, stored),
      proxies: reporting.map(({ slug }) => slug),
      off: proxies.filter(({ spec }) => spec['request_validation'] === 'off').length,
    }
  },
})

function sentences(output: Readonly<Record<string, unknown>>): string[] {
  const { slug } = output['collection'] as { readonly slug: string }
  const proxies = output['proxies'] as readonly string[]
  const off = Number(output['off'])
  return [
    `The collection ${slug} now refuses requests that break its contract.`,
    ...(proxies.length === 0
      ? []
      : [`Changed from report to the mode of the collection: ${proxies.join(', ')}.`]),
    ...(off === 0
      ? []
      : [
          `Still without validation (request_validation is off): ${off === 1 ? '1 proxy' : `${off} proxies`}. To list them: postern proxies list --collection ${slug} --all -o json`,
        ]),
  ]
}
