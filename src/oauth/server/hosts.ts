/** Each OAuth client becomes a host when a person first allows it. */
import { hash } from 'node:crypto'
import type { ServiceClient } from '../../access/accounts.ts'
import type { KnownHost, McpAccess } from '../../access/mcp-access.ts'
import { CLI_CLIENT, CONSOLE_CLIENT_ID, isLocalRedirect, redirectHost } from './clients.ts'

/** A client without a name is called by its id, which may be a long URL. */
const NAME_MAX = 100
/** Longest `software` of a host. */
const SOFTWARE_MAX = 2048

/** What is known of an OAuth client. */
interface OAuthClient {
  readonly clientId: string
  readonly clientName?: string | undefined
  readonly redirectUris?: readonly string[] | undefined
}

/** The service identity that a client is. */
type Service = Pick<ServiceClient, 'id'>

/**
 * By what an application is recognized: the URL of its metadata document. Clients that register themselves get another id with each
 * registration, so what they register stands for them: name and exact redirects. Anybody may register the same, but the code of a person
 * then goes to the same website. Redirects to the computer of the person count without port and path: any program there could take them.
 * A service identity is known by its id, whatever it is called.
 */
function softwareOf(
  { clientId, clientName, redirectUris = [] }: OAuthClient,
  service: Service | undefined,
): string {
  if (service !== undefined) return `service:${service.id}`
  const isOwn = clientId === CLI_CLIENT.client_id || clientId === CONSOLE_CLIENT_ID
  if (clientId.startsWith('https://') || isOwn) return clientId
  const places = [...new Set(redirectUris.map(placeOf))].sort()
  const software = `registered:${clientName ?? ''} (${places.join(', ')})`
  if (software.length <= SOFTWARE_MAX) return software
  // The beginning of a long list could be that of another client
  return `registered:${(clientName ?? '').slice(0, NAME_MAX)} (sha256 ${hash('sha256', software, 'base64url')})`
}

/** A redirect to a website counts as a whole: one host may serve many applications. */
function placeOf(redirect: string): string {
  return isLocalRedirect(redirect) ? redirectHost(redirect).replace(/:\d+$/, '') : redirect
}

/** The host of a client; undefined before the first consent, and once it was deleted. */
export function hostOf(
  client: OAuthClient,
  access: Pick<McpAccess, 'host'>,
  service?: Service,
): Promise<KnownHost | undefined> {
  return access.host(softwareOf(client, service))
}

/** The host of a client, made when it comes for the first time. */
export function arriveWith(
  client: OAuthClient,
  access: Pick<McpAccess, 'arrive'>,
  service?: Service,
): Promise<KnownHost> {
  const name = (client.clientName ?? client.clientId).slice(0, NAME_MAX)
  return access.arrive({ software: softwareOf(client, service), name })
}
