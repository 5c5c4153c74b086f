/** The official SDK clients, which are told one URL and sign in by what they find there. */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
  UnauthorizedError as ModernUnauthorized,
  type OAuthClientProvider,
} from '@modelcontextprotocol/client'
import { UnauthorizedError as LegacyUnauthorized } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { CallResult } from './mcp-clients.ts'

/** What an SDK keeps of a sign-in; `visit` is given where a person has to go, and resolves with where they came out. */
class Keeper {
  readonly redirectUrl = 'http://127.0.0.1:9/callback'
  readonly clientMetadata = {
    client_name: 'SDK client',
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  readonly #visit: (url: URL) => Promise<URL>
  #kept: Record<string, unknown> = {}
  came: URL | null = null

  constructor(visit: (url: URL) => Promise<URL>) {
    this.#visit = visit
  }

  clientInformation = () => this.#kept['client'] as never
  saveClientInformation = (client: unknown): void => {
    this.#kept['client'] = client
  }
  tokens = () => this.#kept['tokens'] as never
  saveTokens = (tokens: unknown): void => {
    this.#kept['tokens'] = tokens
  }
  codeVerifier = () => String(this.#kept['verifier'])
  saveCodeVerifier = (verifier: string): void => {
    this.#kept['verifier'] = verifier
  }
  discoveryState = () => this.#kept['discovery'] as never
  saveDiscoveryState = (state: unknown): void => {
    this.#kept['discovery'] = state
  }
  redirectToAuthorization = async (url: URL): Promise<void> => {
    this.came = await this.#visit(url)
  }
}

export interface AuthorizedPeer {
  tools(): Promise<readonly { readonly name: string }[]>
  call(name: string, args: Record<string, unknown>): Promise<CallResult>
  close(): Promise<void>
}

export const AUTHORIZED_PEERS: Readonly<
  Record<string, (url: string, visit: (url: URL) => Promise<URL>) => Promise<AuthorizedPeer>>
> = {
  'SDK v2': async (url, visit) => {
    const keeper = new Keeper(visit)
    // Each SDK declares the provider in types of its own
    const authProvider = keeper as unknown as OAuthClientProvider
    const transport = () => new ModernTransport(new URL(url), { authProvider })
    const client = new ModernClient({ name: 'test-agent', version: '1' })
    const first = transport()
    try {
      await client.connect(first)
    } catch (error) {
      if (!(error instanceof ModernUnauthorized)) throw error
      await first.finishAuth(keeper.came!.searchParams)
      await client.connect(transport())
    }
    return {
      tools: async () => (await client.listTools()).tools,
      call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
      close: () => client.close(),
    }
  },
  'SDK v1': async (url, visit) => {
    const authProvider = new Keeper(visit)
    const transport = () => new LegacyTransport(new URL(url), { authProvider: authProvider as never })
    const client = new LegacyClient({ name: 'test-agent', version: '1' })
    const connect = (to: LegacyTransport) => client.connect(to as Parameters<typeof client.connect>[0])
    const first = transport()
    try {
      await connect(first)
    } catch (error) {
      if (!(error instanceof LegacyUnauthorized)) throw error
      await first.finishAuth(authProvider.came!.searchParams.get('code')!)
      await connect(transport())
    }
    return {
      tools: async () => (await client.listTools()).tools,
      call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
      close: () => client.close(),
    }
  },
}
