import { z } from 'zod'
import { toMs } from '../../base/clock.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import { INJECTION_KINDS, PII_KINDS, SECRET_KINDS } from '../../detectors/settings.ts'
import { LEGS, RULE_ACTIONS } from '../../guardrails/rule.ts'
import { unit } from '../annotations.ts'
import { Description, Duration, jsonValue, Name, Ref, Slug } from '../members.ts'
import { UpstreamUrl } from './upstream.ts'

const DETECTORS = ['pii', 'secrets', 'injection', 'regex', 'size', 'schema', 'webhook'] as const
type DetectorType = (typeof DETECTORS)[number]

const KINDS: Readonly<Partial<Record<DetectorType, readonly string[]>>> = {
  pii: PII_KINDS,
  secrets: SECRET_KINDS,
  injection: INJECTION_KINDS,
}

const PATTERNS_MAX = 50
const SCHEMA_CHARS_MAX = 65_536

const Pattern = z.strictObject({
  name: Slug.describe('Name of the findings'),
  pattern: z
    .string()
    .min(1)
    .max(4096)
    .refine(
      (text) => linearPattern(text) !== null,
      'a regular expression without look-around and back references, and not too large',
    )
    .meta({ format: 'regex' })
    .describe('ECMAScript regular expression'),
})

const WEBHOOK = {
  url: UpstreamUrl.optional().describe('For webhook, such as http://presidio:3000/analyze'),
  format: z
    .enum(['presidio', 'signed'])
    .optional()
    .describe(
      'For webhook: presidio asks a Presidio analyzer; signed sends a signed request, and gets a verdict. Default presidio',
    ),
  credential: Ref.nullable()
    .optional()
    .describe(
      'For webhook. presidio: sent with the request; signed: of type bearer, its token signs and is not sent',
    ),
  language: z
    .string()
    .regex(/^[a-z]{2,3}(-[A-Za-z]{2,4})?$/, 'a code of a language such as en')
    .optional()
    .describe('For webhook of format presidio. Default en'),
  entities: z
    .array(z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'a type of entities such as PERSON'))
    .min(1)
    .max(100)
    .optional()
    .describe('For webhook of format presidio: types to find, such as ["PERSON"]. Default: all'),
  timeout: Duration.optional().describe('For webhook: timeout of the whole response, up to 30s. Default 2s'),
}

const Detector = z
  .strictObject({
    type: z
      .enum(DETECTORS)
      .describe(
        'pii: personal data; secrets: keys, tokens and passwords; injection: prompt injection; regex: your patterns; size: content beyond limits; schema: JSON that does not conform to a schema; webhook: findings of your own server',
      ),
    kinds: z
      .array(z.string().max(64))
      .min(1)
      .max(64)
      .optional()
      .describe('For pii, secrets and injection: kinds to find, such as ["card","iban"]. Default: all'),
    threshold: z
      .number()
      .meta(unit('fraction'))
      .min(0)
      .max(1)
      .optional()
      .describe('For pii, secrets, injection and webhook: minimum confidence of a finding. Default 0.5'),
    allow: z
      .array(z.string().min(1).max(512))
      .max(1000)
      .optional()
      .describe(
        'For pii, secrets, injection and webhook: values that are never findings, such as ["support@example.com"]',
      ),
    patterns: z
      .array(Pattern)
      .min(1)
      .max(PATTERNS_MAX)
      .optional()
      .describe('For regex, such as [{"name":"order","pattern":"ORD-[0-9]+"}]'),
    bytes: z
      .int()
      .meta(unit('bytes'))
      .min(0)
      .max(1024 ** 3)
      .optional()
      .describe('For size: maximum number of bytes'),
    depth: z
      .int()
      .min(1)
      .max(1000)
      .optional()
      .describe('For size: maximum levels of lists and objects in JSON'),
    items: z
      .int()
      .min(0)
      .max(10_000_000)
      .optional()
      .describe('For size: maximum items of a list, or members of an object, in JSON'),
    schema: z
      .record(z.string(), jsonValue())
      .meta(unit('json-schema'))
      .refine(
        (schema) => JSON.stringify(schema).length <= SCHEMA_CHARS_MAX,
        `has at most ${SCHEMA_CHARS_MAX} characters as JSON`,
      )
      .optional()
      .describe('For schema: the JSON Schema (2020-12) of bodies. $ref can refer to its own $defs'),
    ...WEBHOOK,
  })
  .superRefine((detector, context) => {
    for (const [path, message] of detectorFaults(detector))
      context.addIssue({ code: 'custom', path: [path], message })
  })
  .describe('What the guardrail looks for')
type DetectorSpec = z.output<typeof Detector>

const OF_KINDS = ['kinds', 'threshold', 'allow'] as const
const OF_PRESIDIO = ['language', 'entities', 'threshold', 'allow'] as const
const OF_SIZE = ['bytes', 'depth', 'items'] as const

function* detectorFaults(detector: DetectorSpec): Generator<readonly [string, string]> {
  const { type, kinds = [] } = detector
  const known = KINDS[type]
  for (const member of known === undefined ? OF_KINDS : [])
    if (detector[member] !== undefined && (type !== 'webhook' || member === 'kinds'))
      yield [member, `the detector ${type} has no ${member}`]
  yield* webhookFaults(detector)
  if ((detector.schema !== undefined) !== (type === 'schema'))
    yield ['schema', type === 'schema' ? 'the detector schema needs schema' : 'only schema has schema']
  for (const kind of known === undefined ? [] : kinds)
    if (!known?.includes(kind)) yield ['kinds', `"${kind}" is no kind of ${type}: ${known?.join(', ')}`]
  if ((detector.patterns !== undefined) !== (type === 'regex'))
    yield ['patterns', type === 'regex' ? 'the detector regex needs patterns' : `only regex has patterns`]
  const names = (detector.patterns ?? []).map(({ name }) => name)
  if (new Set(names).size < names.length) yield ['patterns', 'names of patterns must differ']
  const limits = OF_SIZE.filter((member) => detector[member] !== undefined)
  if (type === 'size' && limits.length === 0) yield ['bytes', 'the detector size needs bytes, depth or items']
  if (type !== 'size') for (const member of limits) yield [member, `only size has ${member}`]
}

const TIMEOUT_MS_MAX = 30_000

function* webhookFaults(detector: DetectorSpec): Generator<readonly [string, string]> {
  const { type, url, format, timeout } = detector
  if (type !== 'webhook') {
    const others = (Object.keys(WEBHOOK) as (keyof typeof WEBHOOK)[]).filter(
      (member) => detector[member] !== undefined,
    )
    for (const member of others) yield [member, `only webhook has ${member}`]
    return
  }
  if (url === undefined) yield ['url', 'the detector webhook needs url']
  if (timeout !== undefined && toMs(timeout) > TIMEOUT_MS_MAX) yield ['timeout', 'is at most 30s']
  if (format !== 'signed') return
  for (const member of OF_PRESIDIO)
    if (detector[member] !== undefined) yield [member, 'is for webhooks of format presidio']
  if (detector.credential == null) yield ['credential', 'a webhook of format signed needs a credential']
}

/** Lists that no rule needs to be longer. */
const PLACES_MAX = 1000

const Scope = z
  .strictObject({
    everywhere: z.boolean().default(false).describe('All collections and virtual MCPs'),
    collections: z.array(Ref).max(PLACES_MAX).default([]).describe('All proxies of these collections'),
    proxies: z.array(Ref).max(PLACES_MAX).default([]).describe('These proxies, such as orders:get-order'),
    virtual_mcps: z.array(Ref).max(PLACES_MAX).default([]).describe('MCP messages at these virtual MCPs'),
    origins: z
      .array(Ref)
      .max(PLACES_MAX)
      .default([])
      .describe('MCP messages to these origins, through any virtual MCP or workflow'),
  })
  .superRefine(({ everywhere, collections, proxies, virtual_mcps, origins }, context) => {
    const places = [collections, proxies, virtual_mcps, origins].flat()
    if (everywhere === places.length > 0)
      context.addIssue({
        code: 'custom',
        path: ['everywhere'],
        message: everywhere
          ? 'everywhere needs no lists of places; remove them'
          : 'set everywhere, or name collections, proxies, virtual_mcps or origins',
      })
  })
  .describe('Where the guardrail applies, such as {"collections":["orders"]}')

const MAX_BODY_DEFAULT = 1024 * 1024
const MAX_BODY_MAX = 16 * 1024 * 1024

export const GuardrailSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  order: z
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe('Guardrails act in ascending order; equal orders by id'),
  scope: Scope,
  legs: z
    .array(z.enum(LEGS))
    .min(1)
    .max(LEGS.length)
    .default(['request', 'response'])
    .describe(
      'request: before the request is sent to the upstream; response: before the response is sent; list: lists and instructions of virtual MCPs',
    ),
  detector: Detector,
  action: z
    .enum(RULE_ACTIONS)
    .describe(
      'block: refuse the call; redact: [REDACTED:card]; remove: remove the value; mask: keep the last four characters; hash: a keyed hash, equal for equal values; replace: text; decide: a webhook of format signed decides; log: only count',
    ),
  text: z.string().max(1024).nullable().default(null).describe('For replace: the replacement text'),
  mode: z
    .enum(['enforce', 'observe'])
    .default('enforce')
    .describe('observe: count findings and change nothing'),
  failure_mode: z
    .enum(['block', 'pass'])
    .default('block')
    .describe('If the guardrail cannot check the content: block refuses the call, pass accepts it'),
  compressed: z
    .enum(['decode', 'refuse'])
    .default('decode')
    .describe('Compressed bodies: decode checks the decoded body, refuse counts as a failure'),
  max_body: z
    .int()
    .meta(unit('bytes'))
    .min(1024)
    .max(MAX_BODY_MAX)
    .default(MAX_BODY_DEFAULT)
    .describe(
      'Longest JSON body, decoded body or event that the guardrail checks, in bytes; a longer one is a failure',
    ),
  active: z.boolean().default(true).describe('An inactive guardrail does nothing'),
})
export type GuardrailSpec = z.output<typeof GuardrailSpec>

/** Members that do not fit together, with what is wrong. */
export function* guardrailFaults({
  action,
  text,
  detector,
  legs = [],
}: Pick<GuardrailSpec, 'action' | 'text' | 'detector'> & Partial<Pick<GuardrailSpec, 'legs'>>): Generator<
  readonly [string, string]
> {
  if (action === 'replace' && text === null) yield ['text', 'the action replace needs text']
  if (action !== 'replace' && text !== null) yield ['text', 'only the action replace has text']
  if (detector.type === 'size' && action !== 'block' && action !== 'log')
    yield ['action', 'content beyond limits cannot be changed: use block or log']
  if (detector.type === 'schema' && action !== 'block' && action !== 'log')
    yield ['action', 'content that does not fit a schema cannot be changed: use block or log']
  if (detector.type === 'schema' && legs.includes('list'))
    yield ['legs', 'the detector schema does not check lists: use request and response']
  const isSigned = detector.type === 'webhook' && detector.format === 'signed'
  if (isSigned && action !== 'decide' && action !== 'log')
    yield ['action', 'a webhook of format signed decides the action: use decide or log']
  if (!isSigned && action === 'decide') yield ['action', 'only a webhook of format signed can decide']
  if (detector.type === 'webhook' && legs.includes('list'))
    yield ['legs', 'the detector webhook does not check lists: use request and response']
}

/** A sample that a guardrail with a webhook is tried on. */
export interface GuardrailSample {
  readonly text: string
  /** Media type; absent where none is said. */
  readonly type?: string
  readonly leg: 'request' | 'response'
}

/** What the guardrail made of it. */
export interface GuardrailTried {
  /** Null for a sample that is blocked. */
  readonly result: string | null
  /** Why the guardrail could not look at it; empty where it could. */
  readonly reason: string
  /** By detector and kind. */
  readonly hits: Readonly<Record<string, Readonly<Record<string, number>>>>
}
