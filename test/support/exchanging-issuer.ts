import type { IncomingMessage, ServerResponse } from 'node:http'
import { readJwt } from '../../src/base/crypto/jwt.ts'
import { Issuer, signedBy, signingKey } from './issuer.ts'
import { json } from './scripted-as.ts'

/** An identity provider that refreshes the tokens of people, and exchanges them (RFC 8693), as it is told. */
export class ExchangingIssuer extends Issuer {
  /** Forms that its token endpoint was asked with. */
  readonly forms: URLSearchParams[] = []
  /** Refresh tokens that it takes, each once. */
  readonly refreshTokens = new Set<string>()
  /** Subjects of the tokens that it gave for ID tokens. */
  readonly issued = new Map<string, string>()
  /** Takes over the answer to the next refresh, or exchange. */
  act: ((outgoing: ServerResponse) => unknown) | null = null
  /** Begins what it issues, so that two providers issue no two tokens alike. */
  prefix = ''
  #count = 0

  constructor() {
    super(signingKey('k1'))
  }

  /** Tokens as of a sign-in. @param lifetime seconds */
  tokens(sub: string, lifetime = 300) {
    const refresh_token = `${this.prefix}refresh-${++this.#count}`
    this.refreshTokens.add(refresh_token)
    const now = Math.floor(this.now() / 1000)
    const claims = { iss: this.url, aud: 'postern', sub, iat: now, exp: now + lifetime }
    const id_token = signedBy(this.keys[0]!, claims)
    const access_token = `idp-access-${this.#count}`
    return { token_type: 'bearer' as const, access_token, expires_in: lifetime, refresh_token, id_token }
  }

  protected override answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): unknown {
    const form = new URLSearchParams(body)
    const grant = form.get('grant_type') ?? 'authorization_code'
    if (incoming.url !== '/token' || grant === 'authorization_code')
      return super.answer(incoming, outgoing, body)
    this.forms.push(form)
    const { act } = this
    this.act = null
    if (act !== null) return act(outgoing)
    if (grant === 'refresh_token') {
      const isKnown = this.refreshTokens.delete(form.get('refresh_token')!)
      return isKnown
        ? json(outgoing, 200, this.tokens('ada'))
        : json(outgoing, 400, { error: 'invalid_grant' })
    }
    const jwt = readJwt(form.get('subject_token') ?? '')
    const isAssertion = form.get('requested_token_type')?.endsWith(':id-jag') === true
    const issued = `${this.prefix}${isAssertion ? 'assertion' : 'exchanged'}-${++this.#count}`
    this.issued.set(issued, typeof jwt === 'string' ? '' : jwt.subject)
    return json(outgoing, 200, {
      access_token: issued,
      issued_token_type: form.get('requested_token_type'),
      token_type: isAssertion ? 'N_A' : 'Bearer',
      expires_in: 300,
    })
  }
}
