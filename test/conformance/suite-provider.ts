/**
 * The identity provider of the scenario `auth/enterprise-managed-authorization`, with what a sign-in needs besides.
 *
 * The suite's own provider announces an `authorization_endpoint` and a `jwks_uri`, and serves neither: its only routes are
 * `/.well-known/openid-configuration` and `POST /token`, which answers each grant but token exchange with `unsupported_grant_type`. The key
 * of its ID token is published nowhere, and the token has no `nonce`. No relying party can sign a person in there.
 *
 * This provider signs the person in, and passes token exchanges on to the provider of the suite, which judges them. The one member that it
 * replaces is `subject_token`: the suite takes its own ID token alone. Before that, it demands an ID token that it has signed for the person.
 */
import { createPublicKey } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { verifyJws } from '../../src/base/crypto/jws.ts'
import { readJwt } from '../../src/base/crypto/jwt.ts'
import { Issuer, signingKey } from '../support/issuer.ts'
import { json } from '../support/scripted-as.ts'

/** What the suite says of its identity provider. */
export interface SuiteIdentity {
  readonly idp_client_id?: string
  readonly idp_id_token?: string
  readonly idp_token_endpoint?: string
}

export class SuiteProvider extends Issuer {
  /** Of the scenario that is played. */
  suite: SuiteIdentity = {}
  /** Exchanges that came with the ID token of a sign-in, and were passed on. */
  passedOn = 0

  constructor() {
    super(signingKey('sign-in'))
  }

  protected override answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): unknown {
    const form = new URLSearchParams(body)
    const isExchange = form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:token-exchange'
    if (incoming.url !== '/token' || !isExchange) return super.answer(incoming, outgoing, body)
    return this.#passOn(form, outgoing)
  }

  async #passOn(form: URLSearchParams, outgoing: ServerResponse): Promise<void> {
    const jwt = readJwt(form.get('subject_token') ?? '')
    const isOfSignIn =
      typeof jwt !== 'string' &&
      verifyJws(jwt.alg, createPublicKey(this.keys[0]!.key), jwt.signed, jwt.signature) &&
      jwt.subject === this.person['sub']
    if (!isOfSignIn) return void json(outgoing, 400, { error: 'invalid_grant' })
    const {
      idp_token_endpoint: endpoint = '',
      idp_id_token: token = '',
      idp_client_id: client = '',
    } = this.suite
    form.set('subject_token', token)
    // Client of the suite, as which its ID token was issued
    form.set('client_id', client)
    form.delete('client_secret')
    const answer = await fetch(endpoint, { method: 'POST', body: form })
    this.passedOn++
    json(outgoing, answer.status, (await answer.json()) as Readonly<Record<string, unknown>>)
  }
}
