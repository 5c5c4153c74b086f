/** How Postern authenticates at the token endpoint of an identity provider (RFC 6749 section 2.3, RFC 7523). */
import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto'
import type { ClientAuth } from 'openid-client'
import { signingAlgorithm, signJws } from '../../base/crypto/jws.ts'
import { isPlain } from '../../base/json/storable.ts'

/** How the gateway proves itself at the token endpoint of the identity provider (RFC 6749 section 2.3, RFC 7523). */
export type ClientAuthMethod =
  | 'none'
  | 'client_secret_basic'
  | 'client_secret_basic_raw'
  | 'client_secret_post'
  | 'private_key_jwt'

/** Methods that show a secret. */
export const SECRET_METHODS: readonly ClientAuthMethod[] = [
  'client_secret_basic',
  'client_secret_basic_raw',
  'client_secret_post',
]

/** The private key of the gateway as a client. */
export interface ClientKey {
  /** Stands in the header of assertions; null for none. */
  readonly kid: string | null
  readonly key: KeyObject
}

/** What the gateway can show to prove itself; both are null for a public client. */
export interface ClientProof {
  readonly secret: string | null
  readonly key: ClientKey | null
}

/** Lifetime of an assertion, seconds. */
const ASSERTION_SECONDS = 60

/**
 * Reads a private key: PEM, or one key as JSON (RFC 7517) whose `kid` is then sent. Throws an Error that says what is
 * wrong and holds nothing of the key.
 */
export function readClientKey(text: string): ClientKey {
  const trimmed = text.trim()
  let key: KeyObject
  let kid: string | null = null
  try {
    if (trimmed.startsWith('{')) {
      const jwk: unknown = JSON.parse(trimmed)
      if (!isPlain(jwk)) throw new TypeError('no object')
      key = createPrivateKey({ key: jwk as never, format: 'jwk' })
      kid = typeof jwk['kid'] === 'string' ? jwk['kid'] : null
    } else key = createPrivateKey(trimmed)
  } catch {
    throw new Error('it contains no private key in PEM or JWK form without a passphrase')
  }
  if (signingAlgorithm(key) === null)
    throw new Error('its key has an unsupported type; use RSA, P-256, P-384 or Ed25519')
  return { key, kid }
}

/**
 * The method that is used: the one that is set or, for null, what the proof and the metadata of the provider allow. A
 * provider that lists no methods takes client_secret_basic (OpenID Connect Discovery 1.0 section 3).
 */
export function methodFor(
  set: ClientAuthMethod | null,
  { secret, key }: ClientProof,
  supported: readonly string[] | undefined,
): ClientAuthMethod {
  if (set !== null) return set
  if (key !== null) return 'private_key_jwt'
  if (secret === null) return 'none'
  return (supported ?? ['client_secret_basic']).includes('client_secret_basic')
    ? 'client_secret_basic'
    : 'client_secret_post'
}

/**
 * Puts the proof into a request to the token endpoint.
 * @param now milliseconds since the epoch.
 */
export function toClientAuth(method: ClientAuthMethod, proof: ClientProof, now: () => number): ClientAuth {
  const secret = proof.secret ?? ''
  return (server, { client_id: id }, body, headers) => {
    switch (method) {
      case 'client_secret_basic':
        headers.set('authorization', basic(formEncoded(id), formEncoded(secret)))
        return
      case 'client_secret_basic_raw':
        headers.set('authorization', basic(id, secret))
        return
      case 'client_secret_post':
        body.set('client_id', id)
        body.set('client_secret', secret)
        return
      case 'private_key_jwt':
        body.set('client_id', id)
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
        body.set(
          'client_assertion',
          assertion(proof.key!, id, [server.issuer, server.token_endpoint ?? ''], now()),
        )
        return
      case 'none':
        body.set('client_id', id)
    }
  }
}

const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

/**
 * As RFC 6749 section 2.3.1 has it (application/x-www-form-urlencoded). Letters, digits and `*-._` stay as they are, so that
 * a provider that decodes nothing still reads most secrets.
 */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

/** RFC 7523 section 3. Providers differ in whether `aud` is the issuer or the token endpoint: both are in it. */
function assertion({ key, kid }: ClientKey, id: string, audience: readonly string[], now: number): string {
  const seconds = Math.floor(now / 1000)
  return signJws(key, kid, {
    iss: id,
    sub: id,
    aud: audience,
    jti: randomUUID(),
    iat: seconds,
    nbf: seconds,
    exp: seconds + ASSERTION_SECONDS,
  })
}
