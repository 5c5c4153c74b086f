import { listedTexts, type Plain } from '../base/json/plain.ts'

/** Optional members of an answer of a token endpoint that are texts (RFC 6749 section 5.1, RFC 8693 section 2.2.1). */
const TEXTS = ['refresh_token', 'scope', 'id_token', 'issued_token_type'] as const

/**
 * An answer of a token endpoint without optional members that say nothing, such as a `refresh_token` that is null. Libraries refuse the
 * whole answer for one of them, and with it a refresh token that has replaced the one before. A list of scopes becomes a text, and a
 * lifetime below zero becomes zero.
 */
export function withoutEmptyMembers(answer: Plain): Plain {
  const { scope, expires_in: lifetime } = answer
  const kept: Plain = { ...answer }
  if (Array.isArray(scope)) kept['scope'] = listedTexts(scope).join(' ')
  for (const name of TEXTS) if (typeof kept[name] !== 'string') delete kept[name]
  if (kept['refresh_token'] === '') delete kept['refresh_token']
  const seconds = typeof lifetime === 'string' ? Number.parseFloat(lifetime) : lifetime
  if (typeof seconds === 'number' && Number.isFinite(seconds)) kept['expires_in'] = Math.max(0, seconds)
  else delete kept['expires_in']
  return kept
}
