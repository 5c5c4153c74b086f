/**
 * What stands after `Bearer` in an Authorization field (RFC 6750 section 2.1); empty when the field is absent or of
 * another scheme. The scheme is case-insensitive (RFC 9110 section 11.1).
 */
export function bearerOf(authorization: string | null | undefined): string {
  if (authorization == null) return ''
  if (authorization.startsWith('Bearer ') && authorization.charCodeAt(7) !== 0x20)
    return authorization.slice(7)
  return /^bearer +/i.test(authorization) ? authorization.replace(/^bearer +/i, '') : ''
}
