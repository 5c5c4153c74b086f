import { z } from 'zod'
import { refersTo, unit } from './annotations.ts'
import { CAPTURE_DOORS, CAPTURED_BODIES, CAPTURED_MAX } from './capture.ts'
import { confidential } from './confidential.ts'
import { HttpMethod } from './http-method.ts'
import { Ref } from './slug.ts'
import { Time } from './time.ts'
import { FIXTURE, NodeResults } from './workflow-trial.ts'

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
      .describe('Path at the gateway; a * at its end stands for any rest'),
    client: Ref.optional(),
    profile: Ref.optional().describe('Such as acme:sandbox'),
    query: Pairs.describe('Parameters and their values'),
    headers: Pairs.describe('Headers and their values. A masked header fits no value'),
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
    .describe('Of the whole body; null if its end was not read'),
  kept_until: Time,
  nodes: NodeResults.nullable().describe(
    'What each node of the workflow gave in this run, at most 8 KiB each; null without a workflow, and until the run has ended',
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
  count: z.int().describe('Requests that it takes'),
  captured: z.int().describe('Requests that it has taken'),
  created_at: Time,
  created_by: z.string(),
  expires_at: Time.describe('Until when it waits'),
})

export const CaptureView = CaptureSummary.extend({
  requests: z.array(CapturedView).describe('In the order in which they came'),
})
