import { isSecretName, MASKED, maskText } from './mask.ts'
import { isPlain } from './plain.ts'

/** Lists and objects within each other. What lies deeper is masked as a whole. */
const DEPTH_MAX = 32

/**
 * A JSON value without secrets: members with the name of a secret are masked as a whole, and texts lose what looks like a token, a key
 * or a credential. Names of members are texts too.
 */
export function maskValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskText(value)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value))
    return depth === DEPTH_MAX ? MASKED : value.map((item) => maskValue(item, depth + 1))
  if (!isPlain(value)) return null
  if (depth === DEPTH_MAX) return MASKED
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      maskText(name),
      isSecretName(name) && inner !== null && inner !== '' ? MASKED : maskValue(inner, depth + 1),
    ]),
  )
}
