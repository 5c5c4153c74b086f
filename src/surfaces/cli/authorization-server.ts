import type * as OpenIdClient from 'openid-client'
import { PROTECTED, RESOURCE_METADATA } from '../../base/http/origins.ts'
import { isPlain, listedTexts, type Plain } from '../../base/json/storable.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { connectionFault, plainHttpFault } from '../../base/net/connection-fault.ts'
import { API_ROOT } from '../route.ts'
import type { CliPorts } from './ports.ts'

type Configuration = OpenIdClient.Configuration

/** The client that authorization servers of Postern know the command line by: public, with loopback redirects. */
export const CLIENT_ID = 'postern-cli'

const ANSWER_MS_MAX = 15_000

/** What a management API says of how to come to tokens for it (RFC 9728). */
interface ProtectedResource {
  /** What tokens are asked for, and who gives them. */
  readonly resource: string
  readonly issuer: string
  readonly scopes: readonly string[]
  /** Management MCP, where it wants tokens of its own by the same issuer. */
  readonly mcp: string | null
}

/**
 * Asks the management API at an origin who gives tokens for it. Throws with one sentence when nobody does, or when it
 * names another place than itself: a token for that would be shown here.
 */
export async function discoverResource(ports: CliPorts, url: string): Promise<ProtectedResource> {
  const resource = url + API_ROOT
  const metadata = await readObject(ports, metadataAt(url, API_ROOT))
  const named = String(metadata['resource'])
  if (named !== resource && !(isLoopback(named) && isLoopback(resource)))
    throw new Error(`The server at ${url} names ${named} as its URL. Sign in with that URL.`)
  const [issuer] = listedTexts(metadata['authorization_servers'])
  if (issuer === undefined)
    throw new Error(
      `You cannot sign in at ${url}: it names no authorization server. Use postern token, or set POSTERN_TOKEN.`,
    )
  return {
    resource: named,
    issuer,
    scopes: listedTexts(metadata['scopes_supported']),
    mcp: await findMcp(ports, url, named, issuer),
  }
}

/** Only the gateway's own authorization server gives tokens for each resource; others go by an audience. */
async function findMcp(
  ports: CliPorts,
  url: string,
  resource: string,
  issuer: string,
): Promise<string | null> {
  if (new URL(resource).origin !== URL.parse(issuer)?.origin) {
    // Two listeners with addresses of their own have one authorization server
    const at = `${new URL(url).origin}/.well-known/oauth-authorization-server`
    const own = await readObject(ports, at, 'issuer').catch(() => null)
    if (own?.['issuer'] !== issuer) return null
  }
  const metadata = await readObject(ports, metadataAt(url, PROTECTED.mcp))
  const named = String(metadata['resource'])
  return new URL(resource).origin === URL.parse(named)?.origin ? named : null
}

/** Where the metadata of a protected resource is (RFC 9728 section 3.1). */
function metadataAt(url: string, path: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${RESOURCE_METADATA}${pathname.replace(/\/+$/, '')}${path}`
}

/** Reads what an authorization server publishes of itself (RFC 8414, else OpenID Connect discovery). */
export async function discoverIssuer(
  ports: CliPorts,
  issuer: string,
  clientId: string,
): Promise<{ oauth: typeof OpenIdClient; server: Configuration }> {
  // With its parts it would be a tenth of the start of every other command
  const oauth = await import('openid-client')
  const find = (algorithm: 'oauth2' | 'oidc'): Promise<Configuration> =>
    oauth.discovery(new URL(issuer), clientId, undefined, oauth.None(), {
      algorithm,
      timeout: ANSWER_MS_MAX / 1000,
      // Codes and tokens go over the loopback alone without TLS
      execute: isLoopback(issuer) ? [oauth.allowInsecureRequests] : [],
      ...(ports.fetch !== undefined && { [oauth.customFetch]: ports.fetch as OpenIdClient.CustomFetch }),
    })
  const server = await find('oauth2').catch((first: unknown) =>
    find('oidc').catch(() => {
      throw new Error(`The authorization server ${issuer} cannot be used: ${reasonOf(first)}`, {
        cause: first,
      })
    }),
  )
  return { oauth, server }
}

/** What went wrong between this client and an authorization server, as a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'error' in error && typeof error.error === 'string' ? error.error : null
  const description =
    'error_description' in error && typeof error.error_description === 'string'
      ? `: ${error.error_description}`
      : ''
  if (code !== null) return `${code}${description}`
  const { cause } = error
  return cause instanceof Error && cause.message !== ''
    ? `${error.message} (${cause.message})`
    : error.message
}

/** @param member that it has. */
async function readObject(ports: CliPorts, url: string, member = 'resource'): Promise<Plain> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  const headers = { accept: 'application/json' }
  const asked = (ports.fetch ?? fetch)(url, { headers, redirect: 'error', signal })
  const response = await asked.catch((error: unknown) => {
    const fault = connectionFault(error)
    throw fault === ''
      ? foreign(url, '', error)
      : new Error(`Nothing answered at ${url}. ${fault}`, { cause: error })
  })
  const text = await response.text().catch((error: unknown) => {
    throw foreign(url, '', error)
  })
  const value = response.ok ? parsed(text) : null
  if (isPlain(value) && member in value) return value
  throw foreign(url, plainHttpFault(response.status, text))
}

function foreign(url: string, fault: string, cause?: unknown): Error {
  const why = fault === '' ? 'Check that this is the URL of a Postern instance.' : fault
  return new Error(`The server at ${url} does not name its authorization server. ${why}`, { cause })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isLoopback(url: string): boolean {
  const parsed = URL.parse(url)
  return parsed !== null && isLoopbackHost(parsed.hostname)
}
