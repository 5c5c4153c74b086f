import {
  constants,
  createHmac,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'

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
  return tried === 0 ? 'no key fits the kid and algorithm of the token' : 'wrong signature'
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
