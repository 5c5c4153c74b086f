/** An identity provider over the engine of another project, which signs its account in without a page. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export interface OidcEngine extends AsyncDisposable {
  readonly issuer: string
  /** Signed in next; its email and its groups are told at the userinfo endpoint alone. */
  account: { readonly sub: string; readonly email: string; readonly groups: readonly string[] }
  /** Registers a confidential client with exactly one redirect URI. */
  register(id: string, secret: string, redirectUri: string): Promise<void>
}

export async function startOidcEngine(): Promise<OidcEngine> {
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const engine: OidcEngine = {
    issuer,
    account: { sub: 'nobody', email: 'nobody@id.example', groups: [] },
    async register(id, secret, redirectUri) {
      // Where the engine keeps clients; its types do not name it
      const { adapter } = provider.Client as unknown as {
        adapter: { upsert(id: string, client: object): Promise<void> }
      }
      await adapter.upsert(id, {
        client_id: id,
        client_secret: secret,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'client_secret_basic',
      })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const provider = new Provider(issuer, {
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ ...engine.account, sub: id }) }),
    features: { devInteractions: { enabled: false } },
  })
  const callback = provider.callback()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!request.url!.startsWith('/interaction/')) return void callback(request, response)
    const { prompt, params, session } = await provider.interactionDetails(request, response)
    if (prompt.name === 'login')
      return provider.interactionFinished(request, response, { login: { accountId: engine.account.sub } })
    const grant = new provider.Grant({
      accountId: session?.accountId ?? '',
      clientId: String(params['client_id']),
    })
    grant.addOIDCScope(String(params['scope']))
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
  }

  return engine
}
