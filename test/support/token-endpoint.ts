import type { IncomingMessage, ServerResponse } from 'node:http'
import { Loopback } from './loopback.ts'

/** A token endpoint on a real socket (RFC 6749 section 4.4, RFC 8693). */
export class TokenEndpoint extends Loopback {
  /** Forms that were asked with, and the Authorization fields beside them. */
  readonly asked: { readonly form: URLSearchParams; readonly authorization: string }[] = []
  /** Status of every answer; 200 works. */
  status = 200
  expiresIn: number | undefined = 3600
  /** Secrets of the client that are accepted; every one while it is null. */
  clientSecrets: readonly string[] | null = null
  /** Answers wait while it is set. */
  gate: Promise<void> | null = null
  /** Gives the token of the question of that number, counted from 1. */
  token = (number: number): string => `issued-token-${number}`
  /** Gives the token for a form, in the place of `token`. */
  tokenFor: ((form: URLSearchParams) => string) | null = null

  protected async answer(
    { headers }: IncomingMessage,
    outgoing: ServerResponse,
    body: string,
  ): Promise<void> {
    const form = new URLSearchParams(body)
    const authorization = headers.authorization ?? ''
    this.asked.push({ form, authorization })
    const number = this.asked.length
    if (this.gate !== null) await this.gate
    const [, basic = ''] = authorization.split(' ')
    const secret = Buffer.from(basic, 'base64').toString().split(':')[1] ?? ''
    const isKnown = this.clientSecrets === null || this.clientSecrets.includes(secret)
    outgoing.statusCode = isKnown ? this.status : 401
    outgoing.setHeader('content-type', 'application/json')
    if (outgoing.statusCode !== 200) {
      const told = { error: 'invalid_client', error_description: form.get('client_secret') ?? 'no' }
      outgoing.end(JSON.stringify(told))
      return
    }
    const answer = {
      access_token: this.tokenFor === null ? this.token(number) : this.tokenFor(form),
      token_type: 'Bearer',
      expires_in: this.expiresIn,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    outgoing.end(JSON.stringify(answer))
  }

  override get url(): string {
    return `${super.url}/token`
  }
}
