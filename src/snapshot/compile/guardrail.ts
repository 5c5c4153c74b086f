import { toMs } from '../../base/clock.ts'
import type { DetectorSettings, InjectionKind, PiiKind, SecretKind } from '../../detectors/settings.ts'
import type { GuardrailSpec } from '../../model/api/guardrail.ts'
import { UpstreamSpec } from '../../model/api/upstream.ts'
import type { GuardrailFragment } from '../fragments.ts'
import type { Desired } from './compile.ts'
import { compileUpstream } from './upstream.ts'

/** An active guardrail as gateway threads get it. @param sealedKey of the action `hash` */
export function compileGuardrail(
  { id, slug, spec }: Desired<GuardrailSpec>,
  sealedKey?: string,
): GuardrailFragment {
  const { order, legs, action, text, mode, failure_mode, compressed, max_body } = spec
  const { everywhere, collections, proxies, virtual_mcps = [], origins = [] } = spec.scope
  return {
    kind: 'guardrail',
    id,
    slug,
    order,
    scope: { everywhere, collections, proxies, virtual_mcps, origins },
    legs,
    detector: toDetector(spec.detector),
    action,
    ...(text === null ? {} : { text }),
    ...(action === 'hash' && sealedKey !== undefined ? { sealed_key: sealedKey } : {}),
    ...(mode === 'observe' ? { observe: true as const } : {}),
    ...(failure_mode === 'pass' ? { passes_failures: true as const } : {}),
    ...(compressed === 'refuse' ? { refuses_compressed: true as const } : {}),
    body_bytes_max: max_body,
    ...serverOf(spec.detector),
  }
}

const TIMEOUT_DEFAULT = '2s'

/** Where a webhook is asked; nothing for other detectors. */
function serverOf({ url, credential = null, timeout = TIMEOUT_DEFAULT }: GuardrailSpec['detector']) {
  if (url === undefined) return {}
  const { origin, pathname } = new URL(url)
  const timeouts = { connect: timeout, first_byte: timeout, idle: timeout }
  const upstream = compileUpstream(UpstreamSpec.parse({ targets: [{ url: origin }], timeouts }))
  return { server: { upstream, path: pathname, credential } }
}

function toDetector(spec: GuardrailSpec['detector']): DetectorSettings {
  const { type, kinds, threshold, allow, patterns = [], bytes, depth, items } = spec
  const selected = {
    ...(threshold === undefined ? {} : { threshold }),
    ...(allow === undefined ? {} : { allow }),
  }
  // The schema has compared the kinds with those of the detector
  const some = <Kind>() => (kinds === undefined ? selected : { ...selected, kinds: kinds as Kind[] })
  switch (type) {
    case 'pii':
      return { detector: type, ...some<PiiKind>() }
    case 'secrets':
      return { detector: type, ...some<SecretKind>() }
    case 'injection':
      return { detector: type, ...some<InjectionKind>() }
    case 'regex':
      return { detector: type, patterns: patterns.map(({ name, pattern }) => ({ kind: name, pattern })) }
    case 'size':
      return {
        detector: type,
        ...(bytes === undefined ? {} : { bytes }),
        ...(depth === undefined ? {} : { depth }),
        ...(items === undefined ? {} : { items }),
      }
    case 'schema':
      return { detector: type, schema: spec.schema! }
    case 'webhook':
      return toWebhook(spec, selected)
  }
}

function toWebhook(
  { format = 'presidio', timeout = TIMEOUT_DEFAULT, language, entities }: GuardrailSpec['detector'],
  selected: Pick<GuardrailSpec['detector'], 'threshold' | 'allow'>,
): DetectorSettings {
  return {
    detector: 'webhook',
    format,
    timeout_ms: toMs(timeout),
    ...selected,
    ...(language === undefined ? {} : { language }),
    ...(entities === undefined ? {} : { entities }),
  }
}
