import assert from 'node:assert/strict'
import {
  Client,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import type { Browser } from './browser.ts'
import { CLIENT_INFO } from './mcp-clients.ts'

/** Where a program that signs in listens; nothing does here: the browser shows where it was sent. */
const REDIRECT = 'http://127.0.0.1:9/callback'

/**
 * An official SDK client that knows nothing but a URL: it finds the authorization server, registers, has the browser
 * sign in by `signIn`, and comes back with a token.
 */
export async function connectByDiscovery(
  url: string,
  browser: Browser,
  signIn: (browser: Browser, authorize: URL) => Promise<URL>,
): Promise<Client> {
  const known: Known = {}
  const provider = providerOf(known)
  const first = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
  await assert.rejects(new Client(CLIENT_INFO).connect(first), UnauthorizedError)
  assert.ok(known.authorize !== undefined, 'the client was sent to the authorization server')
  const back = await signIn(browser, known.authorize)
  assert.equal(back.origin + back.pathname, REDIRECT, back.href)
  await first.finishAuth(back.searchParams)
  const client = new Client(CLIENT_INFO)
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider: provider }))
  return client
}

interface Known {
  authorize?: URL
  verifier?: string
  client?: Awaited<ReturnType<OAuthClientProvider['clientInformation']>>
  discovery?: Awaited<ReturnType<NonNullable<OAuthClientProvider['discoveryState']>>>
  tokens?: Awaited<ReturnType<OAuthClientProvider['tokens']>>
}

function providerOf(known: Known): OAuthClientProvider {
  return {
    redirectUrl: REDIRECT,
    clientMetadata: {
      client_name: 'Assistant',
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => known.client,
    saveClientInformation: (client) => {
      known.client = client
    },
    tokens: () => known.tokens,
    saveTokens: (tokens) => {
      known.tokens = tokens
    },
    saveDiscoveryState: (state) => {
      known.discovery = state
    },
    discoveryState: () => known.discovery,
    redirectToAuthorization: (url) => {
      known.authorize = url
    },
    saveCodeVerifier: (verifier) => {
      known.verifier = verifier
    },
    codeVerifier: () => known.verifier ?? '',
  }
}
