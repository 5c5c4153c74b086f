import {
  constants,
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign as signBytes,
} from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { verifyJws } from '../../src/base/crypto/jws.ts'
import { readJwt } from '../../src/base/crypto/jwt.ts'
import { Loopback } from './loopback.ts'

type Claims = Readonly<Record<string, unknown>>

/** A key that an issuer signs with. */
export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly key: KeyObject
  readonly jwk: Record<string, unknown>
}

export function signingKey(kid: string, alg = 'ES256'): SigningKey {
  const key = pairOf(alg)
  const jwk = { ...createPublicKey(key).export({ format: 'jwk' }), kid, alg, use: 'sig' }
  return { kid, alg, key, jwk }
}

function pairOf(alg: string): KeyObject {
  if (alg.startsWith('ES')) {
    const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]!
    return generateKeyPairSync('ec', { namedCurve }).privateKey
  }
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519').privateKey
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token of a key; claims as text are signed as they are. `header` overrides members; undefined leaves one out. */
export function signedBy(key: SigningKey, claims: Claims | string, header: Claims = {}): string {
  const alg = String(header['alg'] ?? key.alg)
  const text = `${part({ alg, kid: key.kid, typ: 'JWT', ...header })}.${part(claims)}`
  const digest = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`
  const signature = signBytes(digest, Buffer.from(text), {
    key: key.key,
    ...(alg.startsWith('ES') ? { dsaEncoding: 'ieee-p1363' as const } : {}),
    ...(alg.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: -1 } : {}),
  })
  return `${text}.${signature.toString('base64url')}`
}

/** A token of a shared secret. */
export function signedWith(secret: string | Buffer, claims: Claims, header: Claims = {}): string {
  const alg = String(header['alg'] ?? 'HS256')
  const text = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`
  return `${text}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(text)
    .digest('base64url')}`
}

/** An OpenID provider on a real socket: discovery, keys and introspection. */
export class Issuer extends Loopback {
  keys: SigningKey[]
  /** Status of every answer; 200 works. */
  status = 200
  /** Answers of introspection by token; a token that is not here is inactive. */
  readonly opaque = new Map<string, Claims>()
  /** Paths that were asked, and the Authorization fields of introspection. */
  readonly asked: string[] = []
  readonly authorizations: string[] = []
  /** Overrides of the discovery document. */
  discovery: Claims = {}
  /** Answers in the place of the issuer where it gives true. */
  takeOver: ((incoming: IncomingMessage) => boolean) | null = null
  /** Who signs in next at `/authorize`. */
  person: Claims = { sub: 'ada' }
  /** Claims of theirs that are told at `/userinfo` alone. */
  userInfo: Claims = {}
  /** Overrides of the claims of ID tokens, and of the parameters that go back to the client. */
  idToken: Claims = {}
  /** Overrides of the members of token answers. */
  tokenAnswer: Claims = {}
  callback: Readonly<Record<string, string>> = {}
  /** What clients show at the token endpoint: `id:secret`, or the id alone. */
  client = 'postern:secret'
  /** How clients must authenticate at the token endpoint; `any` compares what comes, encoded or not in a header. */
  clientAuth: 'any' | 'basic' | 'basic_raw' | 'post' | 'private_key_jwt' = 'any'
  /** Public key of the client, for `private_key_jwt`. */
  clientKey: KeyObject | null = null
  /** Answer to a code that is not known. */
  unknownCode: readonly [number, string] = [400, 'invalid_grant']
  /** Time by which assertions of clients are judged, milliseconds since the epoch. */
  now: () => number = Date.now
  readonly #assertions = new Set<string>()
  readonly #codes = new Map<
    string,
    { nonce: string; challenge: string; clientId: string; redirect: string }
  >()

  constructor(...keys: SigningKey[]) {
    super()
    this.keys = keys
  }

  protected answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): unknown {
    const path = incoming.url!
    this.asked.push(path)
    if (this.takeOver?.(incoming) === true) return
    outgoing.statusCode = this.status
    outgoing.setHeader('content-type', 'application/json')
    if (this.status !== 200) return outgoing.end('{}')
    if (path === '/introspect') {
      this.authorizations.push(incoming.headers.authorization ?? '')
      const token = new URLSearchParams(body).get('token') ?? ''
      const claims = this.opaque.get(token)
      return outgoing.end(
        JSON.stringify(claims === undefined ? { active: false } : { active: true, ...claims }),
      )
    }
    if (path === '/keys') return outgoing.end(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }))
    const [at] = path.split('?')
    if (at === '/authorize') return this.#authorize(new URL(path, this.url).searchParams, outgoing)
    if (at === '/token') return this.#exchange(incoming, new URLSearchParams(body), outgoing)
    if (at === '/userinfo') return outgoing.end(JSON.stringify({ sub: this.person['sub'], ...this.userInfo }))
    outgoing.end(
      JSON.stringify({
        issuer: this.url,
        authorization_endpoint: `${this.url}/authorize`,
        token_endpoint: `${this.url}/token`,
        userinfo_endpoint: `${this.url}/userinfo`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [this.keys[0]?.alg ?? 'ES256'],
        authorization_response_iss_parameter_supported: true,
        jwks_uri: `${this.url}/keys`,
        introspection_endpoint: `${this.url}/introspect`,
        ...this.discovery,
      }),
    )
  }

  /** Signs the person in without asking, and sends the browser back. */
  #authorize(asked: URLSearchParams, outgoing: ServerResponse): unknown {
    const code = `code-${randomUUID()}`
    const back = new URL(asked.get('redirect_uri')!)
    this.#codes.set(code, {
      nonce: asked.get('nonce')!,
      challenge: asked.get('code_challenge')!,
      clientId: asked.get('client_id')!,
      redirect: back.href,
    })
    const answer = { code, state: asked.get('state')!, iss: this.url, ...this.callback }
    for (const [name, value] of Object.entries(answer)) if (value !== '') back.searchParams.set(name, value)
    return outgoing.writeHead(302, { location: back.href }).end()
  }

  #exchange(incoming: IncomingMessage, form: URLSearchParams, outgoing: ServerResponse): unknown {
    const refuse = (status: number, error: string) =>
      outgoing.writeHead(status).end(JSON.stringify({ error, error_description: `about ${error}` }))
    if (!this.#isClient(incoming.headers.authorization, form)) {
      // RFC 6749 section 5.2
      if (incoming.headers.authorization !== undefined)
        outgoing.setHeader('www-authenticate', 'Basic realm="id"')
      return refuse(401, 'invalid_client')
    }
    const code = this.#codes.get(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (code?.challenge !== challenge || form.get('redirect_uri') !== code.redirect)
      return refuse(...this.unknownCode)
    const now = Math.floor(Date.now() / 1000)
    const id = { iss: this.url, aud: code.clientId, nonce: code.nonce, iat: now, exp: now + 300 }
    const claims = { ...id, ...this.person, ...this.idToken }
    return outgoing.end(
      JSON.stringify({
        token_type: 'Bearer',
        access_token: 'opaque',
        id_token: signedBy(this.keys[0]!, claims),
        ...this.tokenAnswer,
      }),
    )
  }

  #isClient(authorization: string | undefined, form: URLSearchParams): boolean {
    const basic = Buffer.from(authorization?.slice(6) ?? '', 'base64').toString()
    const posted = [form.get('client_id'), form.get('client_secret')].filter((one) => one !== null).join(':')
    const isBasic = authorization?.startsWith('Basic ') === true && !form.has('client_secret')
    const decoded = (text: string): string => new URLSearchParams(`x=${text}`).get('x') ?? ''
    switch (this.clientAuth) {
      case 'any':
        return (basic === '' ? posted : basic) === this.client
      case 'basic':
        return isBasic && basic.split(':').map(decoded).join(':') === this.client
      case 'basic_raw':
        return isBasic && basic === this.client
      case 'post':
        return authorization === undefined && posted === this.client
      case 'private_key_jwt':
        return authorization === undefined && !form.has('client_secret') && this.#isSigned(form)
    }
  }

  /** RFC 7523 section 3, by a server that takes each assertion once. */
  #isSigned(form: URLSearchParams): boolean {
    const jwt = readJwt(form.get('client_assertion') ?? '')
    if (typeof jwt === 'string') return false
    const { issuer, subject, audience, expires, alg, signed, signature, claims } = jwt
    const [id] = this.client.split(':')
    const jti = String(claims['jti'])
    const isNew = !this.#assertions.has(jti)
    this.#assertions.add(jti)
    const now = this.now() / 1000
    return (
      form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' &&
      issuer === id &&
      subject === id &&
      form.get('client_id') === id &&
      (audience.includes(this.url) || audience.includes(`${this.url}/token`)) &&
      expires !== null &&
      expires > now &&
      expires < now + 300 &&
      isNew &&
      verifyJws(alg, this.clientKey!, signed, signature)
    )
  }

  /** How often a path was asked. */
  times(path: string): number {
    return this.asked.filter((one) => one === path).length
  }
}
