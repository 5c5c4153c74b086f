import type { KnownHost, McpAccess } from '../../access/mcp-access.ts'
import { CLI_CLIENT, redirectHost } from './clients.ts'

/** What is known of an OAuth client. */
interface OAuthClient {
  readonly clientId: string
  readonly clientName?: string | undefined
  readonly redirectUris?: readonly string[] | undefined
}

/**
 * By what an application is recognized: the URL of its metadata document. Clients that register themselves get another id with each
 * registration, so what they register stands for them: name and redirect hosts, which anybody may claim.
 */
function softwareOf({ clientId, clientName, redirectUris = [] }: OAuthClient): string {
  if (clientId.startsWith('https://') || clientId === CLI_CLIENT.client_id) return clientId
  const hosts = [...new Set(redirectUris.map((uri) => redirectHost(uri).replace(/:\d+$/, '')))].sort()
  return `registered:${clientName ?? ''} (${hosts.join(', ')})`.slice(0, 2048)
}

/** The host of a client; undefined before the first consent, and once it was deleted. */
export function hostOf(client: OAuthClient, access: Pick<McpAccess, 'host'>): Promise<KnownHost | undefined> {
  return access.host(softwareOf(client))
}

/** The host of a client, made when it comes for the first time. */
export function arriveWith(client: OAuthClient, access: Pick<McpAccess, 'arrive'>): Promise<KnownHost> {
  return access.arrive({ software: softwareOf(client), name: client.clientName ?? client.clientId })
}
