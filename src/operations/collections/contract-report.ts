import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refersTo, unit } from '../../model/annotations.ts'
import { ValidationMode } from '../../model/api/proxy.ts'
import { Ref, When } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { rangeOf, recordCoverage } from '../metrics/measure.ts'
import { toSelection } from '../records/selection.ts'
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
    requests: z.int().meta(unit('requests')).describe('Requests to the collection in this time'),
    would_refuse: z.int().describe('Forwarded requests that would be refused'),
    places: z.int().describe('Total number of pairs of endpoint and pointer'),
    items: z
      .array(
        z.object({
          endpoint: z.string().describe('Method and route'),
          proxy: z.string().meta(refersTo('proxies')).describe('Id'),
          code: z.string().describe('The refusal, such as body_invalid'),
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
