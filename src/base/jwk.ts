import { createPublicKey, hash, type JsonWebKey, type KeyObject } from 'node:crypto'
import { keyFits } from './jws.ts'
import type { Plain } from './plain.ts'

/** A public key that proves signatures. */
export interface PublicJwk {
  readonly kid: string | null
  /** The `kid`, or the thumbprint (RFC 7638) of a key that has none. */
  readonly id: string
  /** The one algorithm it is for, or null for all that fit its type. */
  readonly alg: string | null
  readonly key: KeyObject
}

const RSA_BITS_MIN = 2048
/** A larger key would let whoever names it burn our time. */
const RSA_BITS_MAX = 8192
const EXPONENT_MAX = 2n ** 32n
const KID_MAX = 256

/** Members that the thumbprint is made of, by type of key, in the order of RFC 7638. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['e', 'kty', 'n'],
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
}

const SPOKEN = ['kid', 'alg', 'use', 'key_ops']

/** What of a key is public and {@link readJwk} looks at; null for one of another type. */
export function publicMembers(jwk: Plain): Plain | null {
  const { kty } = jwk
  if (typeof kty !== 'string' || !Object.hasOwn(MEMBERS, kty)) return null
  const names = [...MEMBERS[kty]!, ...SPOKEN].filter((name) => Object.hasOwn(jwk, name))
  return Object.fromEntries(names.map((name) => [name, jwk[name]]))
}

/** Reads a public key for signatures (RFC 7517). Throws a RangeError that says what is wrong with it. */
export function readJwk(jwk: Plain): PublicJwk {
  const { kty, kid, alg, use, key_ops } = jwk
  const names = typeof kty === 'string' && Object.hasOwn(MEMBERS, kty) ? MEMBERS[kty] : undefined
  if (names === undefined) throw new RangeError('a key must have kty RSA, EC or OKP')
  if (use !== undefined && use !== 'sig') throw new RangeError('the key is not for signatures')
  if (Array.isArray(key_ops) && !key_ops.includes('verify')) throw new RangeError('the key is not to verify')
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > KID_MAX))
    throw new RangeError(`a kid is text of 1 to ${KID_MAX} characters`)
  if (alg !== undefined && typeof alg !== 'string') throw new RangeError('alg is text')
  const parts: Record<string, string> = {}
  for (const name of names) {
    const part = jwk[name]
    if (typeof part !== 'string' || part.length > 2048) throw new RangeError(`the key has no ${name}`)
    parts[name] = part
  }
  const key = toKey(parts)
  if (alg !== undefined && !keyFits(key, alg)) throw new RangeError(`the key is not of the type of ${alg}`)
  return {
    kid: kid ?? null,
    id: kid ?? hash('sha256', JSON.stringify(parts), 'base64url'),
    alg: alg ?? null,
    key,
  }
}

function toKey(parts: JsonWebKey): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: parts, format: 'jwk' })
  } catch {
    throw new RangeError('the members do not make a public key')
  }
  const { modulusLength: bits, publicExponent: exponent } = key.asymmetricKeyDetails ?? {}
  if (bits !== undefined && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
    throw new RangeError(`an RSA key has ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits`)
  if (exponent !== undefined && (exponent < 3n || exponent > EXPONENT_MAX || exponent % 2n === 0n))
    throw new RangeError('the exponent of the RSA key is no safe one')
  return key
}
