import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Loopback } from './loopback.ts'

interface Grant {
  readonly challenge: string | null
  readonly redirectUri: string
}

/**
 * A management API with an authorization server on one real socket: codes with PKCE, devices, refresh tokens that are
 * used once, revocation. Whoever comes is signed in.
 */
export class SignInServer extends Loopback {
  /** Seconds that an access token lives. */
  expiresIn = 3600
  /** What a browser is sent back with besides, or in place of what it should be. */
  redirected: Readonly<Record<string, string>> = {}
  /** Polls of a device that come too early. */
  pending = 2
  hasDevices = true
  /** Members of the protected-resource metadata in place of its own. */
  metadata: Readonly<Record<string, unknown>> = {}
  readonly asked: string[] = []
  readonly tokenRequests: Record<string, string>[] = []
  readonly revoked: string[] = []
  /** True once a refresh token came a second time. */
  wasReused = false
  readonly #codes = new Map<string, Grant>()
  readonly #refreshTokens = new Set<string>()
  #used = new Set<string>()
  readonly accepted = new Set<string>()

  protected answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): unknown {
    const url = new URL(incoming.url!, this.url)
    this.asked.push(`${incoming.method} ${url.pathname}`)
    const form = Object.fromEntries(new URLSearchParams(body))
    const send = (status: number, value: unknown): unknown =>
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    switch (url.pathname) {
      case '/.well-known/oauth-protected-resource/management/v1':
        return send(200, {
          resource: `${this.url}/management/v1`,
          authorization_servers: [this.url],
          scopes_supported: ['management:read', 'management:write'],
          ...this.metadata,
        })
      case '/.well-known/oauth-protected-resource/management/mcp':
        return send(200, { resource: `${this.url}/management/mcp`, authorization_servers: [this.url] })
      case '/.well-known/oauth-authorization-server':
        return send(200, this.#published())
      case '/authorize': {
        const code = randomUUID()
        const { redirect_uri = '', state = '', code_challenge = null } = Object.fromEntries(url.searchParams)
        this.#codes.set(code, { challenge: code_challenge, redirectUri: redirect_uri })
        const back = new URL(redirect_uri)
        back.search = String(new URLSearchParams({ code, state, iss: this.url, ...this.redirected }))
        return outgoing.writeHead(302, { location: back.href }).end()
      }
      case '/device':
        return send(200, {
          device_code: 'device',
          user_code: 'BDWP-HQPK',
          verification_uri: `${this.url}/activate`,
          expires_in: 60,
          interval: 0.01,
        })
      case '/token':
        this.tokenRequests.push(form)
        return send(...this.#token(form))
      case '/revoke':
        this.revoked.push(form['token']!)
        this.accepted.delete(form['token']!)
        return outgoing.writeHead(200).end()
      default:
        return this.accepted.has((incoming.headers.authorization ?? '').replace('Bearer ', ''))
          ? send(200, { items: [], next_cursor: null })
          : send(401, { title: 'Unauthorized', status: 401, code: 'token_invalid', detail: 'No.' })
    }
  }

  #published() {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      ...(this.hasDevices && { device_authorization_endpoint: `${this.url}/device` }),
      revocation_endpoint: `${this.url}/revoke`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    }
  }

  #token(form: Readonly<Record<string, string>>): [number, unknown] {
    const {
      grant_type: type,
      code = '',
      refresh_token: refreshToken = '',
      code_verifier: verifier = '',
    } = form
    if (type === 'authorization_code') {
      const grant = this.#codes.get(code)
      this.#codes.delete(code)
      const challenge = createHash('sha256').update(verifier).digest('base64url')
      const isFit = grant?.challenge === challenge && grant.redirectUri === form['redirect_uri']
      return isFit ? this.#issue() : [400, { error: 'invalid_grant' }]
    }
    if (type === 'urn:ietf:params:oauth:grant-type:device_code')
      return this.pending-- > 0 ? [400, { error: 'authorization_pending' }] : this.#issue()
    if (this.#used.has(refreshToken)) {
      this.wasReused = true
      this.endAll()
    }
    if (type !== 'refresh_token' || !this.#refreshTokens.delete(refreshToken))
      return [400, { error: 'invalid_grant', error_description: 'it has ended' }]
    this.#used.add(refreshToken)
    return this.#issue()
  }

  #issue(): [number, unknown] {
    const [access_token, refresh_token] = [`access-${randomUUID()}`, `refresh-${randomUUID()}`]
    this.accepted.add(access_token)
    this.#refreshTokens.add(refresh_token)
    return [
      200,
      {
        access_token,
        refresh_token,
        token_type: 'Bearer',
        expires_in: this.expiresIn,
        scope: 'management:read',
      },
    ]
  }

  /** Ends every sign-in. */
  endAll(): void {
    this.#refreshTokens.clear()
    this.accepted.clear()
  }
}
