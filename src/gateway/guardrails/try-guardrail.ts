import { Secret } from '../../base/crypto/token.ts'
import { judgedWith } from '../../guardrails/asked.ts'
import { applyContent } from '../../guardrails/content.ts'
import { addHits, Tally } from '../../guardrails/tally.ts'
import type { GuardrailSample, GuardrailTried } from '../../model/api/guardrail.ts'
import type { GuardrailFragment } from '../../snapshot/fragments.ts'
import { linkGuardrail } from '../../snapshot/link/small-kinds.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Webhooks } from './webhooks.ts'

/** In the place of the key of a guardrail: its hashes would tell whether a guess is right. */
const SAMPLE_KEY = new Secret('the key of samples'.padEnd(32))

/** A guardrail that is tried on a sample, in force or not. Hashes are made with a key of samples. */
export interface GuardrailTrial extends GuardrailSample {
  readonly fragment: GuardrailFragment
}

/** Tries a guardrail as calls would meet it: its webhook is asked with the credential of the snapshot. Never rejects. */
export async function tryGuardrail(
  { fragment, text, type, leg }: GuardrailTrial,
  { webhooks, snapshot }: { readonly webhooks: Webhooks; readonly snapshot: Snapshot },
): Promise<GuardrailTried> {
  const linked = linkGuardrail(fragment, () => SAMPLE_KEY)
  const { rule } = linked
  if (rule === null) return { result: null, reason: 'the guardrail cannot be used', hits: {} }
  const guardrails = new Map([...snapshot.guardrails, [linked.id, linked]])
  const tally = new Tally()
  const { value, stop } = await judgedWith(
    [[rule]],
    leg,
    tally,
    (asking, asked, texts) => webhooks.ask({ ...snapshot, guardrails }, '', asking, asked, texts),
    (run) => applyContent(run.chain([rule]), Buffer.from(text), type, leg, run.tally),
  )
  const hits = {}
  for (const entry of tally.entries) addHits(hits, entry.hits)
  return { result: stop === null ? Buffer.from(value).toString() : null, reason: stop?.reason ?? '', hits }
}
