import { Secret } from '../../base/crypto/token.ts'
import { isPlain, type Plain } from '../../base/json/plain.ts'
import { refuse } from '../../base/refusal.ts'
import { applyContent } from '../../guardrails/content.ts'
import { listedItem } from '../../guardrails/listed.ts'
import type { Leg } from '../../guardrails/names.ts'
import type { Rule } from '../../guardrails/rule.ts'
import { Tally } from '../../guardrails/tally.ts'
import type { GuardrailTried } from '../../model/api/guardrail.ts'
import type { GuardrailFragment } from '../../snapshot/fragments.ts'
import { linkGuardrail } from '../../snapshot/link/guardrail.ts'
import type { Job } from '../engine/apart.ts'

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
      detail: 'Looking at the sample takes too long. Send a shorter sample, or a simpler schema.',
      errors: [{ pointer: '/sample', reason: 'takes too long to look at' }],
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
