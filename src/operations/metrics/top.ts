import { z } from 'zod'
import type { ResourceType } from '../../model/resource-types.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { aboveOf } from '../engine/refs.ts'
import {
  asked,
  counts,
  coverage,
  gathered,
  measured,
  metricsOperation,
  Percentiles,
  toCounts,
} from './measure.ts'

/** What requests are gathered by, and the resources that it names; null for names that callers give. */
const GROUPINGS = {
  collection: 'collections',
  proxy: 'proxies',
  client: 'clients',
  profile: 'profiles',
  agent: null,
  virtual_mcp: 'virtual_mcps',
  origin: 'origins',
} as const satisfies Record<string, ResourceType | null>
type Grouping = keyof typeof GROUPINGS
const NAMES = Object.keys(GROUPINGS) as [Grouping, ...Grouping[]]

export const metricsTop = define({
  ...metricsOperation,
  action: 'top',
  tool: 'metrics_top',
  summary:
    'List the collections, proxies, clients, profiles, agents, virtual MCPs or origins with the most calls',
  input: z.strictObject({
    ...asked,
    by: z.enum(NAMES).default('collection').describe('What requests are gathered by'),
    order: z
      .enum(['requests', 'error_rate'])
      .default('requests')
      .describe('First those with the most requests, or with the largest share of errors'),
    limit: z.coerce.number().int().min(1).max(200).default(10).describe('Maximum number of items'),
  }),
  output: z.object({
    ...coverage,
    by: z.enum(NAMES),
    items: z.array(
      z.object({
        id: z.string().describe('Id of the resource, or name of the agent'),
        slug: z
          .string()
          .nullable()
          .describe('As commands name it; null for agents and for what no longer exists'),
        ...counts,
        duration_ms: Percentiles,
      }),
    ),
    entries: z.int().describe('Number of those with calls'),
  }),
  columns: ['slug', 'id', 'requests', 'errors', 'error_rate', 'duration_ms.p50', 'duration_ms.p95'],
  handle: async ({ by, order, limit, ...rest }, context) => {
    const { answer, coverage } = await measured(rest, context, gathered(by, order, limit))
    const items = []
    for (const group of answer.groups) {
      const id = String(group.key[0])
      items.push({
        id,
        slug: await slugOf(context, GROUPINGS[by], id),
        ...toCounts(group),
        duration_ms: group.duration,
      })
    }
    return { ...coverage, by, items, entries: answer.total }
  },
})

async function slugOf(
  { reader }: OperationContext,
  type: ResourceType | null,
  id: string,
): Promise<string | null> {
  const found = type === null ? undefined : await reader.byId(type, id)
  if (found === undefined) return null
  const above = await aboveOf(reader, found)
  return above === undefined ? found.slug : `${above.slug}:${found.slug}`
}
