import {
  constants,
  createHmac,
  createPublicKey,
  hash,
  type JsonWebKey,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { Plain } from '../json/storable.ts'

interface Algorithm {
  readonly hash: string | null
  /** What the key must be; nothing about the token decides that. */
  readonly type: 'hmac' | 'rsa' | 'ec' | 'ed'
  readonly pss?: true
  /** Name of the curve as `asymmetricKeyDetails` has it. */
  readonly curve?: string
}

/** Algorithms of RFC 7518 section 3.1 and RFC 8037 that are understood; `none` is not among them. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['HS256', { hash: 'sha256', type: 'hmac' }],
  ['HS384', { hash: 'sha384', type: 'hmac' }],
  ['HS512', { hash: 'sha512', type: 'hmac' }],
  ['RS256', { hash: 'sha256', type: 'rsa' }],
  ['RS384', { hash: 'sha384', type: 'rsa' }],
  ['RS512', { hash: 'sha512', type: 'rsa' }],
  ['PS256', { hash: 'sha256', type: 'rsa', pss: true }],
  ['PS384', { hash: 'sha384', type: 'rsa', pss: true }],
  ['PS512', { hash: 'sha512', type: 'rsa', pss: true }],
  ['ES256', { hash: 'sha256', type: 'ec', curve: 'prime256v1' }],
  ['ES384', { hash: 'sha384', type: 'ec', curve: 'secp384r1' }],
  ['ES512', { hash: 'sha512', type: 'ec', curve: 'secp521r1' }],
  ['EdDSA', { hash: null, type: 'ed' }],
])

/** True for the name of an algorithm that {@link verifyJws} knows. */
export function isAlgorithm(name: string): boolean {
  return ALGORITHMS.has(name)
}

/** True when the key is of the type, and the curve, that the algorithm needs. */
export function keyFits(key: KeyObject, name: string): boolean {
  const algorithm = ALGORITHMS.get(name)
  if (algorithm === undefined) return false
  switch (algorithm.type) {
    case 'hmac':
      return key.type === 'secret'
    case 'rsa':
      return key.type === 'public' && key.asymmetricKeyType === 'rsa'
    case 'ec':
      return (
        key.type === 'public' &&
        key.asymmetricKeyType === 'ec' &&
        key.asymmetricKeyDetails?.namedCurve === algorithm.curve
      )
    case 'ed':
      return key.type === 'public' && key.asymmetricKeyType === 'ed25519'
  }
}

/** Keys that are tried for one token at most, so that a token without `kid` costs a bounded time. */
export const TRIED_MAX = 16

/** A public key, and what the set that it is of says of its use. */
export interface NamedKey {
  readonly kid: string | null
  readonly alg: string | null
  readonly key: KeyObject
}

/** The key that has signed a token, or why none has. */
export function signingKeyOf<K extends NamedKey>(
  {
    kid,
    alg,
    signed,
    signature,
  }: {
    readonly kid: string | null
    readonly alg: string
    readonly signed: string
    readonly signature: Uint8Array
  },
  keys: readonly K[],
): K | string {
  let tried = 0
  for (const key of keys) {
    if (kid !== null && key.kid !== null && key.kid !== kid) continue
    if (key.alg !== null && key.alg !== alg) continue
    if (++tried > TRIED_MAX) break
    if (verifyJws(alg, key.key, signed, signature)) return key
  }
  return tried === 0 ? 'no key matches the kid and algorithm of the token' : 'wrong signature'
}

/** Proves a signature (RFC 7515 section 5.2). False for a key that does not fit the algorithm. Never throws. */
export function verifyJws(name: string, key: KeyObject, signed: string, signature: Uint8Array): boolean {
  const algorithm = ALGORITHMS.get(name)
  if (algorithm === undefined || !keyFits(key, name)) return false
  const { hash } = algorithm
  if (algorithm.type === 'hmac') {
    const expected = createHmac(hash!, key).update(signed).digest()
    return expected.length === signature.length && timingSafeEqual(expected, signature)
  }
  try {
    return verify(hash, Buffer.from(signed, 'latin1'), withKey(algorithm, key), signature)
  } catch {
    // A signature of an impossible form is a wrong one.
    return false
  }
}

/** A key for RSASSA-PSS alone may name the hash that goes with it. */
const PSS_BY_HASH: ReadonlyMap<string | undefined, string> = new Map([
  [undefined, 'PS256'],
  ['sha256', 'PS256'],
  ['sha384', 'PS384'],
  ['sha512', 'PS512'],
])

/** The algorithm that a private key signs by here; null for a key of another kind. */
export function signingAlgorithm(key: KeyObject): string | null {
  if (key.type !== 'private') return null
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  if (key.asymmetricKeyType === 'rsa-pss')
    return PSS_BY_HASH.get(key.asymmetricKeyDetails?.hashAlgorithm) ?? null
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA'
  if (key.asymmetricKeyType !== 'ec') return null
  const curve = key.asymmetricKeyDetails?.namedCurve
  return curve === 'prime256v1' ? 'ES256' : curve === 'secp384r1' ? 'ES384' : null
}

/** A signed token in compact form (RFC 7515 section 7.1). Throws for a key that {@link signingAlgorithm} does not know. */
export function signJws(
  key: KeyObject,
  keyId: string | null,
  claims: Readonly<Record<string, unknown>>,
): string {
  const alg = signingAlgorithm(key)
  const algorithm = alg === null ? undefined : ALGORITHMS.get(alg)
  if (algorithm === undefined) throw new RangeError('the key cannot sign')
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg, typ: 'JWT', ...(keyId === null ? {} : { kid: keyId }) })}.${part(claims)}`
  return `${text}.${sign(algorithm.hash, Buffer.from(text), withKey(algorithm, key)).toString('base64url')}`
}

/** How an asymmetric key signs and verifies. */
function withKey({ type, pss }: Algorithm, key: KeyObject): SignKeyObjectInput {
  if (type === 'ec') return { key, dsaEncoding: 'ieee-p1363' }
  if (pss !== true) return { key }
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}

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
    throw new RangeError(`a kid must be text of 1 to ${KID_MAX} characters`)
  if (alg !== undefined && typeof alg !== 'string') throw new RangeError('alg must be text')
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
    throw new RangeError(`an RSA key must have ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits`)
  if (exponent !== undefined && (exponent < 3n || exponent > EXPONENT_MAX || exponent % 2n === 0n))
    throw new RangeError('the exponent of the RSA key is not safe')
  return key
}
