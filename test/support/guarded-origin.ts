/** An MCP server that admits accounts of its own authorization server, which is that of another project. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export interface GuardedOrigin extends AsyncDisposable {
  /** Of the MCP endpoint. */
  readonly url: string
  readonly issuer: string
  /** Account that the authorization server signs in at once, without a page. */
  account: string
  /** Methods of MCP that were called, with the account of the token; `anonymous` for none. */
  readonly calls: string[]
  /** Tokens that were sent to the MCP endpoint. */
  readonly tokens: Set<string>
  /** Refreshed tokens, revoked tokens and registered clients since the start. */
  readonly counts: { refreshed: number; revoked: number; registered: number }
  /** The origin refuses the tokens that were sent to it before. */
  refuseTokens(): void
  /** The authorization server forgets all grants, until somebody consents again. */
  forgetGrants(): void
  /** The authorization server forgets a client that has registered. */
  evict(client: string): Promise<void>
  /** The token endpoint breaks connections. */
  isBroken: boolean
  /** Scope that calls of tools need, besides `tools`; null for none. The authorization server knows `admin`. */
  needs: string | null
}

export interface GuardedOriginOptions {
  /** 2026-07-28 in the place of 2025-06-18. */
  readonly modern?: boolean
}

/** For which an access token holds. */
export const TOKEN_SECONDS = 600

const TOOLS = [{ name: 'whoami', description: 'Names the account', inputSchema: { type: 'object' } }]
const PROMPTS = [{ name: 'greeting', description: 'Greets the account' }]
const RESOURCES = [{ uri: 'doc://account', name: 'account' }]

export async function startGuardedOrigin({
  modern = false,
}: GuardedOriginOptions = {}): Promise<GuardedOrigin> {
  const counts = { refreshed: 0, revoked: 0, registered: 0 }
  const calls: string[] = []
  const tokens = new Set<string>()
  const refused = new Set<string>()
  let isForgotten = false
  const server = createServer((request, response) => void answer(request, response))
  const issuer = await listen(server)
  const url = `${issuer}/mcp`
  const provider = providerOf(issuer, url)
  provider.on('grant.success', ({ oidc }) => {
    if (oidc.params?.['grant_type'] === 'refresh_token') counts.refreshed++
  })
  provider.on('grant.revoked', () => void counts.revoked++)
  provider.on('registration_create.success', () => void counts.registered++)
  const engine = provider.callback()

  async function tokenOf({ headers: { authorization = '' } }: IncomingMessage) {
    const text = authorization.replace(/^Bearer /, '')
    if (text !== '') tokens.add(text)
    const token = await provider.AccessToken.find(text)
    return token === undefined || refused.has(text) ? null : token
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0]!
    if (path === '/.well-known/oauth-protected-resource/mcp')
      return json(response, 200, {
        resource: url,
        authorization_servers: [issuer],
        scopes_supported: ['tools'],
      })
    if (path === '/mcp') return answerMcp(request, response)
    if (path.startsWith('/interaction/')) return answerInteraction(request, response)
    if (path === '/token' && origin.isBroken) return void request.socket.destroy()
    if (path === '/token' && isForgotten) return json(response, 400, { error: 'invalid_grant' })
    return void engine(request, response)
  }

  async function answerInteraction(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt, params, session } = await provider.interactionDetails(request, response)
    if (prompt.name === 'login')
      return provider.interactionFinished(request, response, { login: { accountId: origin.account } })
    isForgotten = false
    const grant = new provider.Grant({
      accountId: session?.accountId ?? '',
      clientId: String(params['client_id']),
    })
    grant.addOIDCScope('openid offline_access')
    grant.addResourceScope(url, 'tools admin')
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
  }

  async function answerMcp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await request.toArray()).join('')
    const token = await tokenOf(request)
    const account = token?.accountId ?? null
    const message = text === '' ? {} : (JSON.parse(text) as { id?: number; method?: string })
    calls.push(`${message.method ?? request.method} ${account ?? 'anonymous'}`)
    if (account === null) {
      response.setHeader(
        'www-authenticate',
        `Bearer resource_metadata="${issuer}/.well-known/oauth-protected-resource/mcp", scope="tools"`,
      )
      return json(response, 401, { error: 'invalid_token' })
    }
    const { needs } = origin
    if (message.method === 'tools/call' && needs !== null && token?.scopes.has(needs) !== true) {
      response.setHeader('www-authenticate', `Bearer error="insufficient_scope", scope="${needs}"`)
      return json(response, 403, { error: 'insufficient_scope' })
    }
    if (request.method !== 'POST') return void response.writeHead(405).end()
    if (message.id === undefined) return void response.writeHead(202).end()
    const result = resultOf(message.method ?? '', account, modern)
    const came = result === null ? { error: { code: -32601, message: 'Method not found' } } : { result }
    return json(response, result === null && modern ? 404 : 200, { jsonrpc: '2.0', id: message.id, ...came })
  }

  const origin: GuardedOrigin = {
    url,
    issuer,
    account: 'nobody',
    calls,
    tokens,
    counts,
    isBroken: false,
    needs: null,
    refuseTokens() {
      for (const token of tokens) refused.add(token)
    },
    forgetGrants() {
      isForgotten = true
    },
    async evict(client) {
      // Where the engine keeps them; its types do not name it
      const { adapter } = provider.Client as unknown as { adapter: { destroy(id: string): Promise<void> } }
      await adapter.destroy(client)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return origin
}

/** What an MCP server answers that names the account; null for a method that it lacks. */
export function resultOf(method: string, account: string, modern: boolean): object | null {
  const listed = modern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}
  const complete = modern ? { resultType: 'complete' } : {}
  const capabilities = { tools: {}, prompts: {}, resources: {} }
  switch (method) {
    case 'server/discover':
      return modern ? { ...listed, supportedVersions: ['2026-07-28'], capabilities } : null
    case 'initialize':
      return modern
        ? null
        : { protocolVersion: '2025-06-18', capabilities, serverInfo: { name: 'guarded', version: '1' } }
    case 'tools/list':
      return { ...listed, tools: TOOLS }
    case 'prompts/list':
      return { ...listed, prompts: PROMPTS }
    case 'resources/list':
      return { ...listed, resources: RESOURCES }
    case 'resources/templates/list':
      return { ...listed, resourceTemplates: [] }
    case 'tools/call':
      return { ...complete, content: [{ type: 'text', text: account }] }
    case 'prompts/get':
      return { ...complete, messages: [{ role: 'user', content: { type: 'text', text: account } }] }
    case 'resources/read':
      return { ...listed, contents: [{ uri: 'doc://account', text: account }] }
    default:
      return null
  }
}

function providerOf(issuer: string, resource: string): Provider {
  const provider = new Provider(issuer, {
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    scopes: ['openid', 'offline_access'],
    routes: { authorization: '/auth', token: '/token', registration: '/reg', revocation: '/revoke' },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@origin.example` }),
    }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'email'] },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'tools admin',
          audience: resource,
          accessTokenFormat: 'opaque' as const,
          accessTokenTTL: TOKEN_SECONDS,
        }),
      },
    },
  })
  // Each browser asks for the account that is set now
  provider.use(async (context, next) => {
    if (context.path === '/auth') context.query = { ...context.query, prompt: 'login consent' }
    await next()
  })
  return provider
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}
