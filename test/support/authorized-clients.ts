/** Clients of the official SDKs and of the AI SDK, which are told one URL, sign in by what they find there, and ask for more when a call takes it. */
import { auth, createMCPClient, UnauthorizedError as VercelUnauthorized } from '@ai-sdk/mcp'
import {
  Client as ModernClient,
  UrlElicitationRequiredError as ModernPages,
  StreamableHTTPClientTransport as ModernTransport,
  UnauthorizedError as ModernUnauthorized,
  type OAuthClientProvider,
} from '@modelcontextprotocol/client'
import { UnauthorizedError as LegacyUnauthorized } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { UrlElicitationRequiredError as LegacyPages } from '@modelcontextprotocol/sdk/types.js'
import type { CallResult } from './mcp-clients.ts'

const INFO = { name: 'test-agent', version: '1' }

/** What a client keeps of a sign-in. */
class Keeper {
  readonly redirectUrl = 'http://127.0.0.1:9/callback'
  readonly clientMetadata = {
    client_name: 'SDK client',
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  readonly clientMetadataUrl: string | undefined
  readonly #visit: Visit
  #kept: Record<string, unknown> = {}
  came: URL | null = null

  constructor(visit: Visit, { document }: PeerOptions) {
    this.#visit = visit
    this.clientMetadataUrl = document
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

/** Given where a person has to go; resolves with where they came out. */
export type Visit = (url: URL) => Promise<URL>

export interface PeerOptions {
  /** URL of a client metadata document, for clients that do not register. */
  readonly document?: string
  /** Opens a page that the server asks for; absent: the client declares that it opens none. */
  readonly openPage?: (url: string) => Promise<void>
}

export interface AuthorizedPeer {
  tools(): Promise<readonly { readonly name: string }[]>
  /** Names of the prompts. */
  prompts(): Promise<readonly string[]>
  call(name: string, args: Record<string, unknown>): Promise<CallResult>
  close(): Promise<void>
}

type Make = (url: string, visit: Visit, options?: PeerOptions) => Promise<AuthorizedPeer>

/** What the clients have in common, as far as it is used here. */
interface Listing {
  listTools(): Promise<{ tools: { name: string }[] }>
  listPrompts(): Promise<{ prompts: { name: string }[] }>
}

/** @param signedIn does what it is given, and has the person sign in when that takes more than the client has */
const offersOf = (
  client: Listing,
  signedIn: <T>(ask: () => Promise<T>) => Promise<T>,
): Pick<AuthorizedPeer, 'tools' | 'prompts'> => ({
  tools: async () => (await signedIn(() => client.listTools())).tools,
  prompts: async () => (await signedIn(() => client.listPrompts())).prompts.map(({ name }) => name),
})

/** Opens the pages that a call of 2025-11-25 needs (error -32042), and makes it again. */
async function withPages<T>(ask: () => Promise<T>, openPage: PeerOptions['openPage']): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    const isOfPages = error instanceof LegacyPages || error instanceof ModernPages
    if (!isOfPages || openPage === undefined) throw error
    for (const page of error.elicitations) await openPage(page.url)
    return ask()
  }
}

const modern =
  (mode: 'legacy' | 'auto' | { pin: string }): Make =>
  async (url, visit, options = {}) => {
    const { openPage } = options
    const keeper = new Keeper(visit, options)
    // Each SDK declares the provider in types of its own
    const authProvider = keeper as unknown as OAuthClientProvider
    let transport = new ModernTransport(new URL(url), { authProvider })
    const capabilities = openPage === undefined ? {} : { elicitation: { url: {} } }
    const client = new ModernClient(INFO, { capabilities, versionNegotiation: { mode } })
    if (openPage !== undefined)
      client.setRequestHandler('elicitation/create', async ({ params }) => {
        if (params.mode !== 'url') return { action: 'decline' }
        await openPage(params.url)
        return { action: 'accept' }
      })
    async function signedIn<T>(ask: () => Promise<T>): Promise<T> {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof ModernUnauthorized)) throw error
        await transport.finishAuth(keeper.came!.searchParams)
        return ask()
      }
    }
    await signedIn(() => {
      transport = new ModernTransport(new URL(url), { authProvider })
      return client.connect(transport)
    })
    return {
      ...offersOf(client, signedIn),
      call: (name, args) =>
        withPages(
          () => signedIn(async () => (await client.callTool({ name, arguments: args })) as CallResult),
          openPage,
        ),
      close: () => client.close(),
    }
  }

const legacy: Make = async (url, visit, options = {}) => {
  const { openPage } = options
  const authProvider = new Keeper(visit, options)
  let transport = new LegacyTransport(new URL(url), { authProvider: authProvider as never })
  const client = new LegacyClient(INFO, {
    capabilities: openPage === undefined ? {} : { elicitation: { url: {} } },
  })
  async function signedIn<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof LegacyUnauthorized)) throw error
      await transport.finishAuth(authProvider.came!.searchParams.get('code')!)
      return ask()
    }
  }
  await signedIn(() => {
    transport = new LegacyTransport(new URL(url), { authProvider: authProvider as never })
    return client.connect(transport as Parameters<typeof client.connect>[0])
  })
  return {
    ...offersOf(client, signedIn),
    call: (name, args) =>
      withPages(
        () => signedIn(async () => (await client.callTool({ name, arguments: args })) as CallResult),
        openPage,
      ),
    close: () => client.close(),
  }
}

const vercel: Make = async (url, visit, options = {}) => {
  const keeper = new Keeper(visit, options)
  // This SDK takes a URL as client id, but does not choose it by itself
  if (options.document !== undefined) keeper.saveClientInformation({ client_id: options.document })
  const authProvider = keeper as never
  const connect = () => createMCPClient({ transport: { type: 'http', url, authProvider } })
  const client = await connect().catch(async (error: unknown) => {
    if (!(error instanceof VercelUnauthorized)) throw error
    const { searchParams } = keeper.came!
    await auth(authProvider, {
      serverUrl: url,
      authorizationCode: searchParams.get('code')!,
      callbackIssuer: searchParams.get('iss')!,
    })
    return connect()
  })
  return {
    tools: async () => (await client.listTools()).tools,
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
    close: () => client.close(),
  }
}

interface Kind {
  /** Signs in and connects. */
  readonly connect: Make
  /** It has the person sign in again when a token is too narrow. SDK v1 refreshes such a token, which widens nothing. */
  readonly stepsUp: boolean
  /** It can open a page for a call (elicitation of mode `url`). */
  readonly opensPages: boolean
}

export const AUTHORIZED_PEERS = {
  'SDK v1': { connect: legacy, stepsUp: false, opensPages: true },
  'SDK v2, legacy era': { connect: modern('legacy'), stepsUp: true, opensPages: true },
  'SDK v2, era found by probing': { connect: modern('auto'), stepsUp: true, opensPages: true },
  'SDK v2, pinned to 2026-07-28': { connect: modern({ pin: '2026-07-28' }), stepsUp: true, opensPages: true },
  'AI SDK': { connect: vercel, stepsUp: false, opensPages: false },
} as const satisfies Record<string, Kind>
