import { contentHash } from '../../base/json/canonical.ts'
import { HASH_KEY } from '../../guardrails/names.ts'
import { compileRule } from '../../guardrails/rule.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import type { Opener } from '../../vault/opener.ts'
import type { GuardrailFragment } from '../fragments.ts'
import type { LinkedGuardrail } from '../linked/guardrail.ts'
import { createSchemaJudges } from '../schema/judge.ts'
import { linkServer } from './own-route.ts'

/**
 * Links a guardrail. @throws RangeError that names what is wrong, and what `open` throws
 * @param before the one of that id so far: what is known of its server lives on
 */
export function linkGuardrail(
  fragment: GuardrailFragment,
  open: Opener,
  before: LinkedGuardrail | null = null,
): LinkedGuardrail {
  const { id, slug, order, scope, legs, detector, action, text, sealed_key, server } = fragment
  if (!Number.isInteger(order)) throw new RangeError('its order is no whole number')
  const settings = {
    id,
    slug,
    detector,
    action,
    ...(text === undefined ? {} : { text }),
    ...(sealed_key === undefined ? {} : { hashKey: open(sealed_key, id, HASH_KEY).reveal() }),
    isObserved: fragment.observe === true,
    passesFailures: fragment.passes_failures === true,
    refusesCompressed: fragment.refuses_compressed === true,
    bytesMax: fragment.body_bytes_max,
  }
  const rule = compileRule(settings, detector.detector === 'schema' ? fitsOf(detector.schema) : null)
  return {
    kind: 'guardrail',
    id,
    order,
    everywhere: scope.everywhere,
    collections: new Set(scope.collections),
    proxies: new Set(scope.proxies),
    virtualMcps: new Set(scope.virtual_mcps),
    origins: new Set(scope.origins),
    legs: new Set(legs),
    rule,
    server: server === undefined ? null : linkServer(server, id, before?.server ?? undefined),
    hash: contentHash(fragment),
    fault: null,
  }
}

/** The validator of contracts. It was judged when it was stored: what is not regular fits everything. */
function fitsOf(schema: Readonly<Record<string, unknown>>): (value: unknown) => boolean {
  const judge = createSchemaJudges({}, true).of(schema as JsonSchema, 'request')
  return (value) => judge(value) === null
}

/** A guardrail that cannot be linked: calls in its scope are refused, and where the scope cannot be read, all calls. */
export function closedGuardrail({ id, slug, scope }: GuardrailFragment, reason: string): LinkedGuardrail {
  const { collections, proxies, virtual_mcps, origins } = scope ?? {}
  const isKnown = [collections, proxies, virtual_mcps, origins].every(Array.isArray)
  return {
    kind: 'guardrail',
    id,
    order: 0,
    everywhere: !isKnown || scope.everywhere,
    collections: new Set(isKnown ? collections : []),
    proxies: new Set(isKnown ? proxies : []),
    virtualMcps: new Set(isKnown ? virtual_mcps : []),
    origins: new Set(isKnown ? origins : []),
    legs: new Set(),
    rule: null,
    server: null,
    hash: '',
    fault: `guardrail ${slug} cannot be used: ${reason}`,
  }
}
