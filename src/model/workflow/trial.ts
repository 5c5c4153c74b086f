import { z } from 'zod'
import type { OwnedBytes } from '../../base/memory/bytes.ts'
import { confidential, refersTo, unit } from '../annotations.ts'
import { HttpMethod, Ref, Time } from '../members.ts'
import { CAPTURE_DOORS, CAPTURED_BODIES, CAPTURED_MAX } from './capture.ts'

const Text = z.string().max(8192)
const Value = z.unknown()

/** The request of a trial. Members that are absent are empty. */
export const FIXTURE = {
  method: HttpMethod.default('GET'),
  path: Text.default('/').describe('Path at the gateway, with the base path'),
  path_params: z.record(z.string().max(128), Text).default({}),
  query: z.record(z.string().max(128), z.union([Text, z.array(Text).max(100)])).default({}),
  headers: z
    .record(z.string().max(128), Text)
    .default({})
    .describe('Names in lower case, without credentials'),
  body: Value.default(null).describe('JSON, or text'),
  client: Ref.optional(),
  profile: Ref.optional().describe('Such as acme:sandbox'),
  claims: z.record(z.string().max(128), z.union([Text, z.array(Text).max(100)])).default({}),
  ip: z.string().max(64).default('127.0.0.1'),
}
export const RequestFixture = confidential('traffic', z.strictObject(FIXTURE))
export type RequestFixture = z.output<typeof RequestFixture>

/** What stands in the place of a node. */
export const NodeMock = z.strictObject({
  handle: z.string().max(64).optional().describe('Default: the handle for success'),
  outputs: z.record(z.string().max(128), Value).default({}),
  error: z
    .strictObject({ kind: z.string().min(1).max(64), message: z.string().max(500).default('mocked') })
    .optional()
    .describe('Makes the node fail, for example with the kind timeout or 503'),
})
export type NodeMock = z.output<typeof NodeMock>

/** By what the result of a node came about. */
const RESULT_SOURCES = ['run', 'mock', 'simulated'] as const

/** Results of nodes. */
export const NodeResults = z.array(
  z.object({
    node: z.string(),
    within: z.string().nullable().describe('In an inner run, as in a trace'),
    source: z
      .enum(RESULT_SOURCES)
      .describe(
        'run: the node ran; mock: its mock was used; simulated: simulated, because the node has effects',
      ),
    handle: z.string().nullable(),
    outputs: confidential('traffic', z.unknown()).describe('null if there are none, or above 64 KiB'),
    error: z.object({ kind: z.string(), message: z.string() }).nullable(),
  }),
)
export type NodeResults = z.output<typeof NodeResults>

/** A run that a gateway thread is asked to make. Plain data. */
export interface TrialAsked<Plan = unknown> {
  readonly plan: Plan
  readonly mocks: Readonly<Record<string, NodeMock>>
  readonly request: Omit<RequestFixture, 'client' | 'profile'>
  readonly requestId: string
  /** Ids and slugs; empty where the fixture names none. */
  readonly client: { readonly id: string; readonly slug: string }
  readonly profile: { readonly id: string; readonly slug: string }
  /** Null for a run without effects. */
  readonly live: LiveTrial | null
}

/** The request that a live run answers. */
export interface LiveTrial {
  /** Id of the proxy. */
  readonly proxy: string
  /** Id of the user who asks for it; empty where no user does. */
  readonly user: string
  readonly host: string
  /** Path and query. */
  readonly target: string
  /** Header lines ending in CRLF. */
  readonly fields: string
  readonly body: OwnedBytes | null
}

/** What one execution of a node gave. */
export interface TrialStep {
  readonly node: string
  readonly within: string
  readonly source: (typeof RESULT_SOURCES)[number]
  /** Null for a failure, and for the end of a run. */
  readonly handle: string | null
  /** JSON; null where there are none, or they are too long. */
  readonly outputs: string | null
  readonly error: { readonly kind: string; readonly message: string } | null
}

export interface TrialAnswer {
  readonly status: number
  readonly code: string | null
  /** What callers are not told. */
  readonly reason: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: OwnedBytes
  readonly bodyBytes: number
  readonly durationMs: number
  /** As a record keeps it. */
  readonly trace: string
  readonly steps: readonly TrialStep[]
}

/** Names and values that a request must have. */
const Pairs = z
  .record(z.string().min(1).max(128), z.string().max(1024))
  .refine((pairs) => Object.keys(pairs).length <= CAPTURED_MAX, `at most ${CAPTURED_MAX}`)
  .default({})

export const MatchInput = z
  .strictObject({
    method: HttpMethod.optional(),
    path: z
      .string()
      .regex(/^\/[!-~]*$/, 'a path such as /orders/v1/orders/7, or /orders/v1/*')
      .max(2048)
      .optional()
      .describe('Path at the gateway; * at the end matches any rest'),
    client: Ref.optional(),
    profile: Ref.optional().describe('Such as acme:sandbox'),
    query: Pairs.describe('Parameters and their values'),
    headers: Pairs.describe('Headers and their values. A masked header matches no value'),
  })
  .prefault({})

export const CAPTURE_STATES = ['waiting', 'captured', 'expired', 'cancelled'] as const

const CapturedView = z.object({
  request_id: z.string().meta(refersTo('records')).describe('Id of the request record'),
  time: Time,
  door: z.enum(CAPTURE_DOORS),
  request: confidential(
    'traffic',
    z.object({ ...FIXTURE, client: Ref.optional(), profile: Ref.optional() }),
  ).describe('Fixture for test_workflow, test_node and saved tests. Secrets are masked as [secret]'),
  body_state: z
    .enum(CAPTURED_BODIES)
    .describe('cut: longer than 64 KiB, the beginning as text; not_text: neither JSON nor text, not kept'),
  body_bytes: z
    .int()
    .meta(unit('bytes'))
    .nullable()
    .describe('Size of the whole body; null if its end was not read'),
  kept_until: Time,
  nodes: NodeResults.nullable().describe(
    'Outputs of each node in this run, at most 8 KiB each; null without a workflow, and until the run has ended',
  ),
})

/** A capture, without what it has captured. */
export const CaptureSummary = z.object({
  id: z.string(),
  state: z.enum(CAPTURE_STATES),
  next: z.string().describe('What to do next'),
  proxy: z.string().meta(refersTo('proxies')).describe('Such as orders:get-order'),
  match: z.object({
    method: z.string().nullable(),
    path: z.string().nullable(),
    client: z.string().meta(refersTo('clients')).nullable(),
    profile: z.string().meta(refersTo('profiles')).nullable(),
    query: z.record(z.string(), z.string()),
    headers: z.record(z.string(), z.string()),
  }),
  count: z.int().describe('Number of requests to capture'),
  captured: z.int().describe('Number of captured requests'),
  created_at: Time,
  created_by: z.string(),
  expires_at: Time.describe('End of the waiting time'),
})

export const CaptureView = CaptureSummary.extend({
  requests: z.array(CapturedView).describe('In order of arrival'),
})
