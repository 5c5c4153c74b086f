/** Links credentials: opens their secrets once, and forms what is sent. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { AwsSigner } from '../../base/crypto/aws-signature.ts'
import { certificatesOf } from '../../base/crypto/certificate.ts'
import { signingAlgorithm } from '../../base/crypto/jws.ts'
import { Secret } from '../../base/crypto/token.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { CredentialType } from '../../model/api/credential.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import type { SecretReference } from '../../model/api/secret.ts'
import type { Opener } from '../../vault/vault.ts'
import type { CredentialFragment } from '../fragments.ts'
import type {
  CachedToken,
  ClientCertificate,
  LinkedCredential,
  LinkedGrant,
  Sent,
} from '../linked-types/credential.ts'
import { lineOf } from './headers.ts'

/** Tokens that one thread holds of one credential: more than one only where each caller has its own. */
const TOKENS_MAX = 2000

/**
 * Opens a credential once and forms what is sent. Throws when a secret cannot be read, opened or sent.
 * @param isCheck secrets are stand-ins: what depends on their form is left out.
 */
export function linkCredential(
  fragment: CredentialFragment,
  open: Opener,
  isCheck: boolean = false,
): LinkedCredential {
  const previous = isCheck ? null : linkPrevious(fragment, open)
  const { id, settings } = fragment
  if (fragment.unresolved !== undefined) throw new RangeError(fragment.unresolved)
  const secret = (field: string): Secret => {
    const sealed = fragment.sealed[field]
    if (sealed === undefined) throw new RangeError(`the ${field} is not set`)
    return open(sealed, id, field)
  }
  const plain = (sent: Sent): LinkedCredential => ({
    kind: 'credential',
    id,
    ...sent,
    grant: null,
    login: null,
    certificate: null,
    signing: null,
    previous,
    usedAt: 0,
  })
  switch (fragment.type) {
    case 'basic': {
      // RFC 7617: user id and password as UTF-8
      const login = { username: settings['username'] ?? '', password: secret('password') }
      const pair = Buffer.from(`${login.username}:${login.password.reveal()}`).toString('base64')
      return { ...plain(headerOf('Authorization', `Basic ${pair}`)), login }
    }
    case 'bearer':
      return plain(headerOf('Authorization', `Bearer ${secret('token').reveal()}`))
    case 'api_key': {
      const name = settings['name'] ?? 'Authorization'
      const value = (settings['prefix'] ?? '') + secret('key').reveal()
      if (settings['in'] !== 'query') return plain(headerOf(name, value))
      const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
      return plain({ line: '', name: '', pair, parameter: name })
    }
    case 'oauth2_client_credentials':
    case 'token_exchange':
    case 'jwt_bearer': {
      const before = previous?.credential.grant ?? null
      return {
        ...plain(NAMED),
        grant: {
          ...grantOf(fragment, secret, isCheck),
          previous: before === null ? null : { grant: before, until: previous!.until },
        },
      }
    }
    case 'aws_sigv4':
      return { ...plain(NAMED), signing: signerOf(settings, secret('secret_access_key')) }
    case 'mtls': {
      const pem = settings['client_cert_pem'] ?? ''
      const key = isCheck ? null : secret('client_key_pem')
      const certificate = certificateOf(pem, key, settings['ca_cert_pem'] ?? null)
      // An upstream refuses a certificate in the handshake, not by an answer that another one could make good.
      return { ...plain(NOTHING_SENT), certificate, previous: null }
    }
    default:
      throw new RangeError('the type is not known')
  }
}

function linkPrevious(fragment: CredentialFragment, open: Opener): LinkedCredential['previous'] {
  const { id, previous } = fragment
  if (previous === undefined) return null
  const { until, field, sealed } = previous
  // Written as settings with the secrets in their places
  const { type, settings } = partsOf(JSON.parse(open(sealed, id, field).reveal()).auth)
  const { previous: _previous, references: _references, ...rest } = fragment
  const credential = linkCredential({ ...rest, type, settings, sealed: settings }, (text) => new Secret(text))
  return { credential, until }
}

/** The name of the field is known before its value. */
const NAMED: Sent = { line: '', name: 'authorization', pair: '', parameter: '' }

const NOTHING_SENT: Sent = { line: '', name: '', pair: '', parameter: '' }

/** Throws where the two cannot be used together; repeats neither. @param key null where it is not at hand. */
function certificateOf(pem: string, key: Secret | null, ca: string | null): ClientCertificate {
  const [leaf] = certificatesOf(pem)
  const fault = key === null ? null : clientKeyFault(pem, key.reveal())
  if (fault !== null) throw new RangeError(fault)
  const trusted = ca === null ? [] : certificatesOf(ca)
  const id = [leaf!, ...trusted].map(({ fingerprint256 }) => fingerprint256).join(' ')
  return { id, pem, key: key ?? new Secret(''), ca }
}

/** Why a private key cannot be used with a certificate, the first in the PEM text; null when it can. */
export function clientKeyFault(certificates: string, pem: string): string | null {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    return 'contains no private key in PEM without a password'
  }
  if (!certificatesOf(certificates)[0]!.checkPrivateKey(key))
    return 'the key does not belong to the certificate'
  try {
    createSecureContext({ cert: certificates, key: pem, minVersion: 'TLSv1.2' })
    return null
  } catch {
    return 'TLS cannot use this key with the certificate'
  }
}

/** A header as it is sent. Throws for characters that cannot be; the message does not hold the value. */
export function headerOf(name: string, value: string): Sent {
  if (!/^[\t -~]*$/.test(value)) throw new RangeError('the secret has characters that cannot be sent')
  return { line: lineOf(name, value), name: name.toLowerCase(), pair: '', parameter: '' }
}

type Settings = CredentialFragment['settings']

function asked(settings: Settings): Record<string, string> {
  const { audience } = settings
  return { ...scopeOf(settings), ...(audience === undefined ? {} : { audience }) }
}

function scopeOf({ scopes }: Settings): Record<string, string> {
  return scopes === undefined || scopes === '' ? {} : { scope: scopes }
}

function signerOf(settings: Settings, secret: Secret): AwsSigner {
  const { region, service, access_key_id, payload } = settings
  if (region === undefined || service === undefined || access_key_id === undefined)
    throw new RangeError('the region, the service or the key is not set')
  return { accessKeyId: access_key_id, secret, region, service, signsPayload: payload !== 'unsigned' }
}

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:'

function grantOf(
  { type, settings }: CredentialFragment,
  secret: (field: string) => Secret,
  isCheck: boolean,
): LinkedGrant {
  const { token_url, client_id, auth_method, key_id } = settings
  if (token_url === undefined) throw new RangeError('the token endpoint is not set')
  const common = {
    url: token_url,
    keyId: key_id ?? null,
    previous: null,
    tokens: new Lru<string, CachedToken>(TOKENS_MAX),
  }
  const signer = (): KeyObject | null => {
    const known = secret('private_key')
    return isCheck ? null : keyOf(known.reveal())
  }
  if (type === 'jwt_bearer')
    return {
      ...common,
      clientId: '',
      method: 'jwt_bearer',
      secret: null,
      key: signer(),
      claims: assertedBy(settings, token_url),
      exchanges: false,
      form: { grant_type: `${GRANT_TYPE}jwt-bearer`, ...scopeOf(settings) },
    }
  if (client_id === undefined) throw new RangeError('the client is not set')
  const method =
    auth_method === 'client_secret_post' || auth_method === 'private_key_jwt'
      ? auth_method
      : 'client_secret_basic'
  const isSigned = method === 'private_key_jwt'
  const exchanges = type === 'token_exchange'
  return {
    ...common,
    clientId: client_id,
    method,
    secret: isSigned ? null : secret('client_secret'),
    key: isSigned ? signer() : null,
    claims: { iss: client_id, sub: client_id, aud: settings['assertion_audience'] ?? token_url },
    exchanges,
    form: exchanges
      ? {
          grant_type: `${GRANT_TYPE}token-exchange`,
          subject_token_type: TOKEN_TYPE + (settings['subject_token_type'] ?? 'access_token'),
          ...asked(settings),
        }
      : { grant_type: 'client_credentials', ...asked(settings) },
  }
}

/** The assertion that is a grant. Some servers read the scopes there and not in the form. */
function assertedBy(settings: Settings, tokenUrl: string): Record<string, string> {
  const { issuer, subject, audience } = settings
  if (issuer === undefined) throw new RangeError('the issuer is not set')
  return { iss: issuer, sub: subject ?? issuer, aud: audience ?? tokenUrl, ...scopeOf(settings) }
}

/** A private key that can sign. Throws without repeating it. */
export function keyOf(pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new RangeError('the private key cannot be read')
  }
  if (signingAlgorithm(key) === null)
    throw new RangeError('the private key is not RSA, RSA-PSS, P-256, P-384 or Ed25519')
  return key
}

/** What there was before a rotation whose overlap has not passed; null where there is nothing else to try. @param now milliseconds since the epoch */
export function beforeRotation<Before extends { readonly until: number }>(
  previous: Before | null,
  now: number,
): Before | null {
  return previous !== null && now < previous.until ? previous : null
}

/** True for a status that refuses a credential: a signature that is not right is answered with 403. */
export function refusesCredential(status: number, isSigned: boolean): boolean {
  return status === 401 || (status === 403 && isSigned)
}

/** Settings of a credential as fragments hold them, and where its secrets are read. */
export function partsOf(auth: { readonly type: CredentialType }): {
  readonly type: CredentialType
  readonly settings: Readonly<Record<string, string>>
  readonly references: Readonly<Record<string, SecretReference>>
} {
  const { type, ...rest }: { type: CredentialType } & Readonly<Record<string, unknown>> = { ...auth }
  const settings: Record<string, string> = {}
  const references: Record<string, SecretReference> = {}
  for (const [name, value] of Object.entries(rest)) {
    if (isReference(value)) references[name] = value
    else if (value != null) settings[name] = Array.isArray(value) ? value.join(' ') : String(value)
  }
  return { type, settings, references }
}
