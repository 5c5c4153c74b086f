/** Masks secrets in values that are stored for a while: by the rules of request records, and by the detector of secrets. */

import { isPlain } from '../base/json/plain.ts'
import { isSecretName, MASKED, maskText } from '../base/text/mask.ts'
import { acted } from '../detectors/act.ts'
import { compileDetectors, type Detectors } from '../detectors/compile.ts'

/** Lists and objects within each other. What lies deeper is masked as a whole. */
const DEPTH_MAX = 64
/** A shorter credential is not looked for: it would be found in ordinary words. */
const CREDENTIAL_CHARS_MIN = 8

let detectors: Detectors | null = null

/** Made by the first capture: most processes never need it. */
function secrets(): Detectors {
  detectors ??= compileDetectors([{ detector: 'secrets' }])
  return detectors
}

export interface WithoutSecrets {
  text(text: string, name?: string): string
  /** A JSON value. Members with the name of a secret are masked as a whole. */
  value(value: unknown): unknown
}

/** @param credential the credential of the caller itself, which is masked wherever it stands; empty for none */
export function withoutSecrets(credential: string): WithoutSecrets {
  const own = credential.length < CREDENTIAL_CHARS_MIN ? null : credential

  function text(given: string, name = ''): string {
    const known = own === null ? given : given.replaceAll(own, MASKED)
    const masked = maskText(known)
    const spans = secrets().find(masked, name)
    return spans.length === 0 ? masked : acted(masked, spans, () => MASKED)
  }

  function value(given: unknown, name: string, depth: number): unknown {
    if (typeof given === 'string') return text(given, name)
    if (typeof given === 'number') return own === String(given) ? MASKED : given
    if (given === null || typeof given !== 'object') return given ?? null
    if (depth === DEPTH_MAX) return MASKED
    if (Array.isArray(given)) return given.map((item) => value(item, name, depth + 1))
    if (!isPlain(given)) return null
    const isNamed = isNamedSecret(given)
    return Object.fromEntries(
      Object.entries(given).map(([member, inner]) => [
        text(member),
        (isSecretName(member) || (isNamed && member === 'value')) && inner !== null && inner !== ''
          ? MASKED
          : value(inner, member, depth + 1),
      ]),
    )
  }

  return { text, value: (given) => value(given, '', 0) }
}

/** True for `{"name": "password", "value": ...}`: the name of what stands in the member beside it. */
function isNamedSecret(given: Readonly<Record<string, unknown>>): boolean {
  return ['name', 'key', 'header', 'field'].some((member) => {
    const name = given[member]
    return typeof name === 'string' && isSecretName(name)
  })
}
