/** What the page of the kit shows its parts with: a form with every kind of field, rows of every length, a failure. */
import type { JsonObject } from '../../../build/document.ts'
import type { Fault } from '../../api/client.ts'

export const LONG =
  'Cross-border customs declarations and tariff classification for parcels that leave the customs union'

/** A member for each kind of field. */
export const SCHEMA: JsonObject = {
  type: 'object',
  required: ['name', 'kind'],
  properties: {
    name: { type: 'string', description: 'A text that is required and changed' },
    slug: { type: 'string', default: 'orders', description: 'A text with a default' },
    description: {
      type: 'string',
      maxLength: 4000,
      'x-postern-unit': 'markdown',
      description: 'A long text in Markdown',
    },
    collection: { type: 'string', 'x-postern-ref': 'collections', description: 'The name of a resource' },
    kind: { type: 'string', enum: ['partner', 'internal', 'ai'], description: 'One of several words' },
    methods: { type: 'array', items: { type: 'string', enum: ['GET', 'POST', 'DELETE'] } },
    max: { type: 'integer', minimum: 1, 'x-postern-unit': 'requests', description: 'A number with a fault' },
    active: { type: 'boolean', description: 'Yes or no' },
    checked: { type: ['boolean', 'null'], description: 'Yes, no or not set' },
    tags: { type: 'array', items: { type: 'string' }, description: 'Texts, one per line' },
    secret: { type: 'string', 'x-postern-secret': true, description: 'A secret' },
    timeouts: {
      type: 'object',
      description: 'An object that is set',
      properties: { connect: { type: 'string', default: '2s', 'x-postern-unit': 'duration' } },
    },
    cache: {
      description: 'An object that is not set',
      anyOf: [{ type: 'object', properties: { ttl: { type: 'string' } } }, { type: 'null' }],
    },
    targets: {
      type: 'array',
      description: 'A list of objects',
      items: { type: 'object', required: ['url'], properties: { url: { type: 'string', format: 'uri' } } },
    },
    claims: { type: 'object', additionalProperties: { type: 'string' }, description: 'Names and values' },
    auth: {
      description: 'One of several kinds of object',
      oneOf: [
        { type: 'object', properties: { type: { const: 'none' } } },
        { type: 'object', properties: { type: { const: 'token' }, expires_in: { type: 'string' } } },
      ],
    },
    body: { description: 'Any JSON' },
  },
}

export const LOADED: JsonObject = {
  name: 'Orders',
  description: 'Places, changes and **cancels** orders.',
  kind: 'partner',
  methods: ['GET', 'POST'],
  max: 0,
  active: true,
  tags: ['core', 'tier-1'],
  timeouts: { connect: '5s' },
  cache: null,
  targets: [{ url: 'http://orders.internal:8080' }],
  claims: { tenant: 'acme' },
  auth: { type: 'token', expires_in: '90d' },
  body: { lines: [{ sku: 'TEA-1' }] },
}
export const ERRORS = { '/max': 'must be at least 1' }

export const FAULT: Fault = {
  title: 'Configuration invalid',
  detail: 'The policy "gold" is not there. Create it, or name another one.',
  code: 'configuration_invalid',
  requestId: 'req_01m85d5babsn6jnvgh0000000f',
  status: 422,
  fields: [{ pointer: '/policy', reason: 'there is no policy of this slug' }],
}

/** Each form of Markdown that the console shows. */
export const MARKDOWN = `# Orders
Places, *changes* and **cancels** orders. ~~Drafts~~ are gone.

\`GET /v1\` is new. See [the docs](https://docs.example.com).

## Takes
- one order
  1. with lines
  2. with a customer
- several

> Ask before you send more than 100.

\`\`\`
curl https://api.example.com/orders/v1/7
\`\`\`

| status | means |
|---|---|
| 202 | taken |

---
![A chart](https://docs.example.com/chart.png) and <b>HTML</b> are not loaded.`

export const FIGURES = [
  { label: 'Requests', value: 1_204_511, before: 1_003_760, unit: '' },
  { label: 'Errors', value: 0.42, before: 0.42, unit: '%' },
  { label: 'p95 duration', value: null, before: null, unit: 'ms' },
]

/** Each ink, a dashed line, a gap, and a part that is not known. */
export const CHART = {
  summary: 'Durations of an hour in points of ten minutes. The longest is 90 ms.',
  times: [0, 600, 1200, 1800, 2400, 3000, 3600],
  range: [0, 3600],
  unknown: [0, 900],
  series: [
    { label: 'before', ink: 'muted', values: [15, 25, 20, 35, 30, 45, 40], isDashed: true },
    { label: 'p50', ink: 'ok', values: [10, 12, 11, 14, 13, 12, 15] },
    { label: 'p95', ink: 'accent', values: [30, 35, null, null, 45, 40, 60] },
    { label: 'p99', ink: 'warn', values: [50, 55, 52, 60, 65, 70, 90] },
    { label: 'failed', ink: 'bad', values: [0, 0, 2, 0, 0, 3, 0] },
  ],
} as const

export const DIFF = [
  { op: 'replace', path: '/description', from: 'Before', value: 'After' },
  { op: 'add', path: '/tags/2', value: 'tier-1' },
  { op: 'remove', path: '/limits/0', from: { name: 'minute', kind: 'rate', max: 60 } },
] as const

export interface Row {
  readonly id: string
  readonly name: string
  readonly methods: readonly string[]
  readonly status: string
  readonly requests: number
}
export const ROWS: readonly Row[] = [
  { id: 'short', name: 'Orders', methods: ['GET'], status: 'published', requests: 1_204_311 },
  { id: 'long', name: LONG, methods: ['GET', 'POST', 'PATCH', 'DELETE'], status: 'draft', requests: 7 },
  { id: 'none', name: 'Payments', methods: [], status: 'failed', requests: 0 },
]
