import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Loopback } from './loopback.ts'

type Json = Readonly<Record<string, unknown>>
export type TokenAct = (form: URLSearchParams, outgoing: ServerResponse) => unknown

interface Grant {
  readonly user: string
  readonly resource: string | null
}

/**
 * An MCP server and its authorization server on one socket, which do as they are told. Unless told otherwise it works: it
 * registers clients, signs `user` in without asking, rotates refresh tokens and takes each once.
 */
export class ScriptedServer extends Loopback {
  /** Overrides of metadata; undefined leaves a member out. */
  resourceMetadata: Json = {}
  serverMetadata: Json = {}
  /** Value of `WWW-Authenticate`; null for none. A function gets the URL of the server. */
  challenge: ((url: string) => string) | null = (url) =>
    `Bearer resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`
  /** Takes over the answer to a path, such as `/token`. */
  readonly acts = new Map<
    string,
    (incoming: IncomingMessage, outgoing: ServerResponse, body: string) => unknown
  >()
  /** Takes over answers to refreshes, one each, before the server works again. */
  readonly refreshActs: TokenAct[] = []
  user = 'ada'
  /** Seconds; null leaves it out. */
  lifetime: number | null = 3600
  isRefreshing = true
  rotates = true
  /** Overrides of token answers. */
  tokenAnswer: Json = {}
  /** Parameters that go back with the code; an empty one is left out. */
  callback: Readonly<Record<string, string>> = {}
  readonly asked: string[] = []
  readonly forms: {
    readonly path: string
    readonly form: URLSearchParams
    readonly authorization: string
  }[] = []
  readonly clients = new Map<string, Json>()
  readonly #codes = new Map<string, Grant & { readonly challenge: string; readonly client: string }>()
  readonly refreshTokens = new Map<string, Grant>()
  readonly accessTokens = new Map<string, Grant>()
  /** Refresh tokens that were used. */
  readonly spent = new Set<string>()
  #count = 0

  get mcp(): string {
    return `${this.url}/mcp`
  }

  /** How often a path was asked. */
  times(path: string): number {
    return this.asked.filter((one) => one === path).length
  }

  refreshes(): number {
    return this.forms.filter(({ form }) => form.get('grant_type') === 'refresh_token' && !isCheck(form))
      .length
  }

  protected answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): unknown {
    const at = new URL(incoming.url!, this.url)
    const path = at.pathname
    this.asked.push(path)
    const form = new URLSearchParams(body)
    if (['/token', '/revoke'].includes(path))
      this.forms.push({ path, form, authorization: incoming.headers.authorization ?? '' })
    const act = this.acts.get(path)
    if (act !== undefined) return act(incoming, outgoing, body)
    switch (path) {
      case '/mcp':
        if (this.challenge !== null) outgoing.setHeader('www-authenticate', this.challenge(this.url))
        return outgoing.writeHead(401).end('{}')
      case '/.well-known/oauth-protected-resource/mcp':
        return json(outgoing, 200, {
          resource: this.mcp,
          authorization_servers: [this.url],
          scopes_supported: ['read', 'write'],
          ...this.resourceMetadata,
        })
      case '/.well-known/oauth-authorization-server':
        return json(outgoing, 200, this.metadata())
      case '/register':
        return this.#register(JSON.parse(body) as Json, outgoing)
      case '/authorize':
        return this.#authorize(at.searchParams, outgoing)
      case '/token':
        return this.#token(form, incoming.headers.authorization, outgoing)
      case '/revoke':
        this.refreshTokens.delete(form.get('token') ?? '')
        this.accessTokens.delete(form.get('token') ?? '')
        return outgoing.writeHead(200).end()
      default:
        return json(outgoing, 404, {})
    }
  }

  metadata(): Json {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      registration_endpoint: `${this.url}/register`,
      revocation_endpoint: `${this.url}/revoke`,
      code_challenge_methods_supported: ['S256'],
      response_types_supported: ['code'],
      authorization_response_iss_parameter_supported: true,
      token_endpoint_auth_methods_supported: ['none'],
      ...this.serverMetadata,
    }
  }

  #register(metadata: Json, outgoing: ServerResponse): unknown {
    const client_id = `client${++this.#count}`
    this.clients.set(client_id, metadata)
    return json(outgoing, 201, { client_id, ...metadata })
  }

  #authorize(asked: URLSearchParams, outgoing: ServerResponse): unknown {
    const client = asked.get('client_id')!
    const code = `code${++this.#count}`
    const back = new URL(asked.get('redirect_uri')!)
    const [challenge, resource] = [asked.get('code_challenge')!, asked.get('resource')]
    this.#codes.set(code, { user: this.user, resource, challenge, client })
    const answer = { code, state: asked.get('state')!, iss: this.url, ...this.callback }
    for (const [name, value] of Object.entries(answer)) if (value !== '') back.searchParams.set(name, value)
    return outgoing.writeHead(302, { location: back.href }).end()
  }

  #token(form: URLSearchParams, authorization: string | undefined, outgoing: ServerResponse): unknown {
    const basic = Buffer.from(authorization?.slice(6) ?? '', 'base64')
      .toString()
      .split(':')[0]
    const client = form.get('client_id') ?? basic ?? ''
    const isDocument = client.startsWith('https://')
    if (!this.clients.has(client) && !isDocument && !client.startsWith('manual'))
      return json(outgoing, 401, { error: 'invalid_client' })
    if (form.get('grant_type') === 'refresh_token') {
      const act = isCheck(form) ? undefined : this.refreshActs.shift()
      if (act !== undefined) return act(form, outgoing)
      return this.refresh(form, outgoing)
    }
    const code = this.#codes.get(form.get('code') ?? '')
    this.#codes.delete(form.get('code') ?? '')
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (code === undefined || code.challenge !== verifier || code.client !== client)
      return json(outgoing, 400, { error: 'invalid_grant' })
    return json(outgoing, 200, this.issue({ user: code.user, resource: code.resource }))
  }

  /** As a server that works answers a refresh. */
  refresh(form: URLSearchParams, outgoing: ServerResponse): unknown {
    const token = form.get('refresh_token')!
    const grant = this.refreshTokens.get(token)
    if (grant === undefined || this.spent.has(token))
      return json(outgoing, 400, { error: 'invalid_grant', error_description: 'no such refresh token' })
    if (this.rotates) this.spent.add(token)
    return json(outgoing, 200, this.issue(grant))
  }

  /** Makes new tokens. */
  issue(grant: Grant): Json {
    const access_token = `access-${grant.user}-${++this.#count}-${randomBytes(4).toString('hex')}`
    this.accessTokens.set(access_token, grant)
    const refresh_token = `refresh-${grant.user}-${this.#count}`
    if (this.isRefreshing) this.refreshTokens.set(refresh_token, grant)
    return {
      access_token,
      token_type: 'Bearer',
      ...(this.lifetime === null ? {} : { expires_in: this.lifetime }),
      ...(this.isRefreshing ? { refresh_token } : {}),
      ...this.tokenAnswer,
    }
  }
}

/** The question whether a registration is still known. */
const isCheck = (form: URLSearchParams): boolean =>
  form.get('refresh_token') === 'postern-checks-its-registration'

export function json(outgoing: ServerResponse, status: number, value: unknown): unknown {
  return outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
