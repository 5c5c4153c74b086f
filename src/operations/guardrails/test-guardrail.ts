import { z } from 'zod'
import { Secret } from '../../base/crypto/token.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { applyContent } from '../../guardrails/content.ts'
import { listedItem } from '../../guardrails/listed.ts'
import { LEGS, type Leg, type Rule } from '../../guardrails/rule.ts'
import { Tally } from '../../guardrails/tally.ts'
import { confidential } from '../../model/annotations.ts'
import { GuardrailSpec, type GuardrailTried } from '../../model/api/guardrail.ts'
import { Ref } from '../../model/members.ts'
import { compileGuardrail } from '../../snapshot/compile/kinds.ts'
import type { GuardrailFragment } from '../../snapshot/fragments.ts'
import { linkGuardrail } from '../../snapshot/link/small-kinds.ts'
import { capturedRequest, FromCapture } from '../captures/captures.ts'
import type { Job } from '../engine/apart.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { checkCredential, checkMembers, guardrailKind } from './kind.ts'

const SAMPLE_CHARS_MAX = 256 * 1024

/** Members of a guardrail that decide what it does to a content. */
const Definition = GuardrailSpec.pick({
  detector: true,
  action: true,
  text: true,
  failure_mode: true,
  max_body: true,
})

const Found = z.object({
  detector: z.string(),
  kind: z.string().describe('Kind of value, name of a pattern, or limit'),
  count: z.int(),
})

export const testGuardrail = define({
  resource: 'guardrails',
  action: 'test',
  effect: 'read',
  posted: true,
  tool: 'test_guardrail',
  group: guardrailKind.group,
  summary: 'Show what a guardrail does to a sample; stores nothing, and changes no call',
  input: z.strictObject({
    guardrail: Ref.optional().describe('A stored guardrail, active or inactive'),
    definition: Definition.optional().describe(
      'A definition that is not stored, such as {"detector":{"type":"pii"},"action":"mask"}',
    ),
    sample: confidential('traffic', z.string().max(SAMPLE_CHARS_MAX))
      .optional()
      .describe('Body to check; for the leg list a tool, prompt or resource as JSON'),
    capture: FromCapture.describe(
      'Id of a capture, instead of sample: the body of its first request. Needs records:read_body',
    ),
    content_type: z
      .string()
      .max(256)
      .optional()
      .describe('Media type of the sample. Default: JSON if the sample is JSON, else text'),
    leg: z.enum(LEGS).default('request'),
  }),
  output: z.object({
    outcome: z
      .enum(['unchanged', 'changed', 'blocked'])
      .describe('What the guardrail does when it is enforced'),
    result: confidential('traffic', z.string().nullable()).describe(
      'The sample as it would be forwarded; null if it is blocked',
    ),
    reason: z.string().nullable().describe('Reason why the guardrail could not check the sample'),
    found: z.array(Found).describe('Findings, without the values'),
    applies: z.boolean().describe('True if the guardrail is active, enforced, and covers this leg'),
  }),
  permission: 'guardrails:read',
  noted: 'READ',
  notes: ({ capture }) => capture !== undefined,
  refuses: ['not_found', 'configuration_invalid', 'not_ready'],
  columns: ['outcome', 'result', 'reason'],
  tables: { found: ['detector', 'kind', 'count'] },
  subject: ({ guardrail }) => ({
    type: guardrailKind.noun,
    id: null,
    slug: typeof guardrail === 'string' ? guardrail : null,
  }),
  handle: async ({ guardrail, definition, leg, ...given }, context) => {
    if ((guardrail === undefined) === (definition === undefined))
      throw refuse('input_invalid', {
        detail: 'Give either guardrail or definition.',
        errors: [{ pointer: '/guardrail', reason: 'give either guardrail or definition' }],
      })
    const { sample, content_type } = await sampleOf(given, context)
    const { id, slug, spec } =
      guardrail === undefined ? await fromDefinition(definition!, context) : await stored(guardrail, context)
    const shown = { id, slug, spec: { ...spec, mode: 'enforce', active: true } } as const
    const fragment = compileGuardrail(shown, 'sealed')
    const asking = fragment.server === undefined || leg === 'list' ? null : fragment
    if (asking !== null) await demandAsking(guardrail, asking, context)
    const { result, reason, hits } =
      asking === null
        ? await context.apart(lookAtSample, { fragment, sample, type: content_type ?? null, leg })
        : await asked(asking, sample, content_type, leg as 'request' | 'response', context)
    return {
      outcome: result === null ? 'blocked' : result === sample ? 'unchanged' : 'changed',
      result,
      reason: reason === '' ? null : reason,
      found: Object.entries(hits).flatMap(([detector, kinds]) =>
        Object.entries(kinds).map(([kind, count]) => ({ detector, kind, count })),
      ),
      applies: spec.active && spec.mode === 'enforce' && spec.legs.includes(leg),
    } as const
  },
})

interface Sample {
  readonly sample?: string | undefined
  readonly capture?: string | undefined
  readonly content_type?: string | undefined
}

/** The sample that is given, or the body of a captured request with its media type. Refuses with input_invalid both and neither. */
async function sampleOf({ sample, capture, content_type }: Sample, context: OperationContext) {
  if ((sample === undefined) === (capture === undefined))
    throw refuse('input_invalid', {
      detail: 'Give either sample or capture.',
      errors: [{ pointer: '/sample', reason: 'give either sample or capture' }],
    })
  if (sample !== undefined) return { sample, content_type }
  const { body, headers } = await capturedRequest(capture!, context)
  return {
    sample: body === null ? '' : typeof body === 'string' ? body : JSON.stringify(body),
    content_type: content_type ?? headers['content-type'],
  }
}

/** Whoever has a webhook asked could also store the guardrail, and may use its credential. */
async function demandAsking(
  ref: string | undefined,
  { server }: GuardrailFragment,
  context: OperationContext,
): Promise<void> {
  if (ref === undefined)
    await context.demand('guardrails:create', { type: 'guardrails', id: '', parent: null, spec: {} })
  else await context.demand('guardrails:update', await context.find('guardrails', ref))
  const id = server!.credential
  const credential = id === null ? undefined : await context.whole.byId('credentials', id)
  if (credential !== undefined) await context.demand('credentials:use', credential)
}

async function asked(
  fragment: GuardrailFragment,
  text: string,
  type: string | undefined,
  leg: 'request' | 'response',
  context: OperationContext,
): Promise<GuardrailTried> {
  try {
    return await context.guardrails.run({ fragment, text, leg, ...(type === undefined ? {} : { type }) })
  } catch (error) {
    throw refuse('not_ready', {
      detail: `The guardrail cannot be tested now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
    })
  }
}

async function fromDefinition(given: z.output<typeof Definition>, context: OperationContext) {
  checkMembers(given)
  const { credential: ref } = given.detector
  const credential = ref == null ? null : (await context.find('credentials', ref)).id
  const definition = ref == null ? given : { ...given, detector: { ...given.detector, credential } }
  await checkCredential(definition.detector, context)
  const spec = GuardrailSpec.parse({ name: 'Sample', scope: { everywhere: true }, ...definition })
  return { id: 'sample', slug: 'sample', spec }
}

async function stored(ref: string, context: OperationContext) {
  const { id, slug, spec } = await context.find('guardrails', ref)
  return { id, slug, spec: GuardrailSpec.parse(spec) }
}

/** In the place of the key of a guardrail: its hashes would tell whether a guess is right. */
const SAMPLE_KEY = new Secret('the key of samples'.padEnd(32))

interface Asked {
  readonly fragment: GuardrailFragment
  readonly sample: string
  /** Media type; null if it is not known. */
  readonly type: string | null
  readonly leg: Leg
}

/** What a guardrail without a webhook does to a sample. Refuses with input_invalid a sample of the leg `list` that is no item. */
export const lookAtSample: Job<Asked, GuardrailTried> = {
  name: 'guardrails.test',
  msMax: 10_000,
  tooMuch: () =>
    refuse('input_invalid', {
      detail: 'Checking the sample takes too long. Send a shorter sample, or use a simpler schema.',
      errors: [{ pointer: '/sample', reason: 'takes too long to check' }],
    }),
  run: ({ fragment, sample, type, leg }) => {
    const { rule } = linkGuardrail(fragment, () => SAMPLE_KEY)
    const tally = new Tally()
    const outcome =
      leg === 'list' ? listed(rule!, sample, tally) : passed(rule!, sample, type ?? undefined, leg, tally)
    return { ...outcome, hits: tally.of(rule!, leg).hits }
  },
}

/** What became of a sample; null for one that is blocked. */
interface Outcome {
  readonly result: string | null
  readonly reason: string
}

function passed(
  rule: Rule,
  sample: string,
  type: string | undefined,
  leg: 'request' | 'response',
  tally: Tally,
): Outcome {
  const { value, stop } = applyContent([rule], Buffer.from(sample), type, leg, tally)
  return stop === null ? { result: Buffer.from(value).toString(), reason: '' } : { result: null, ...stop }
}

/** Of an item of a list. */
function listed(rule: Rule, sample: string, tally: Tally): Outcome {
  const item = itemIn(sample)
  const key = ['uri', 'uriTemplate'].find((name) => Object.hasOwn(item, name)) ?? 'name'
  const after = listedItem([rule], item, key, tally)
  const result = after === null ? null : after === item ? sample : JSON.stringify(after)
  return { result, reason: '' }
}

function itemIn(sample: string): Plain {
  try {
    const item: unknown = JSON.parse(sample)
    if (isPlain(item)) return item
  } catch {
    // Told below
  }
  throw refuse('input_invalid', {
    detail: 'The sample of the leg list is a tool, prompt or resource as JSON, such as {"name":"add"}.',
    errors: [{ pointer: '/sample', reason: 'must be a JSON object' }],
  })
}
