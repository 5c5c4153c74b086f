/**
 * Access tokens with which people call virtual MCPs from a page of the console. They never leave the process. The console is
 * a host like any application.
 */
import type { Provider } from 'oidc-provider'
import type { Accounts } from '../../access/accounts.ts'
import type { McpAccess } from '../../access/mcp-access.ts'
import { MCP_SCOPES } from '../../access/scopes.ts'
import type { ProtectedResources } from '../../base/http/origins.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { AdapterParts } from './adapter.ts'
import type { Asker, Happening } from './audit.ts'
import { CONSOLE_CLIENT_ID } from './clients.ts'
import { arriveWith, hostOf } from './hosts.ts'
import { SIGNING_ALG } from './keys.ts'

export type ConsoleToken =
  | {
      readonly ok: true
      readonly token: string
      /** Id of the grant, which ends the token. */
      readonly grant: string
      /** Id of the host that it names. */
      readonly host: string
      /** End of the token, milliseconds since the epoch. */
      readonly until: number
    }
  | { readonly ok: false; readonly code: 'not_found' | 'client_inactive'; readonly detail: string }

/**
 * Access tokens with which people call virtual MCPs from a page of the console. They never leave the process. Everything else is as for
 * any application: the console is a host, its tokens are for one resource, and each has an audit entry.
 */
export interface ConsoleTokens {
  /** Issues a token for a person. Refused where nothing is shared with the person, or where the host is switched off. */
  mcpToken(account: string, resource: `/mcp${string}`, asker: Asker): Promise<ConsoleToken>
  /** False once its grant has ended, or its host was deleted: a further one may still be issued. */
  holds(token: ConsoleToken & { readonly ok: true }): Promise<boolean>
  /** Ends the tokens of grants. */
  endMcpTokens(grants: readonly string[]): Promise<void>
}

export interface ConsoleTokensParts {
  readonly store: ConfigStore
  readonly accounts: Pick<Accounts, 'find'>
  readonly mcp: Pick<McpAccess, 'offer' | 'host' | 'arrive'>
  readonly resources: Pick<ProtectedResources, 'nameOf'>
  /** Members of an access token beside those of RFC 9068. */
  readonly claimsOf: (token: object) => Promise<Plain>
  readonly grantsEnded: AdapterParts['grantsEnded']
  readonly audit: (happening: Happening) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Seconds. As every access token; the page gets the next one without being asked. */
const TOKEN_SECONDS = 15 * 60

const NOT_SHARED = {
  ok: false,
  code: 'not_found',
  detail:
    'This virtual MCP is not shared with you, or not published. Share it with yourself or one of your teams, or test with the token of a profile.',
} as const

export function createConsoleTokens(
  currentProvider: () => Promise<Provider>,
  parts: ConsoleTokensParts,
): ConsoleTokens {
  const { store, accounts, mcp, resources } = parts
  return {
    async mcpToken(account, resource, asker) {
      const person = await accounts.find(account)
      if (person === undefined || (await mcp.offer(account, resource)) === null) return NOT_SHARED
      const provider = await currentProvider()
      const client = await provider.Client.find(CONSOLE_CLIENT_ID)
      if (client === undefined) throw new Error('The client of the console is missing.')
      const host = await arriveWith(client, mcp)
      if (!host.active)
        return {
          ok: false,
          code: 'client_inactive',
          detail: `The host ${host.slug}, which the console uses for calls, is ${host.isHeld ? 'new, and waits for an administrator' : 'inactive'}. Activate the host, then try again.`,
        }
      const audience = resources.nameOf(resource)
      const scope = MCP_SCOPES.join(' ')
      const grant = new provider.Grant({ accountId: account, clientId: client.clientId })
      grant.addResourceScope(audience, scope)
      Object.assign(grant, { expiresIn: TOKEN_SECONDS })
      const grantId = await grant.save()
      const made = new provider.AccessToken({
        accountId: account,
        client,
        grantId,
        gty: 'authorization_code',
        scope,
        expiresIn: TOKEN_SECONDS,
        // The engine's own place for claims; its types leave it out of the constructor
        ...{ extra: await parts.claimsOf({ grantId, clientId: client.clientId, aud: audience }) },
        resourceServer: new provider.ResourceServer(audience, {
          scope,
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: SIGNING_ALG } },
        }),
      })
      const token = await made.save()
      await parts.audit({
        operation: 'issue_token',
        actor: { id: person.id, type: 'user', name: person.slug },
        client: client.clientId,
        asker,
        facts: { resource: audience, scope, host: host.id },
      })
      return {
        ok: true,
        token,
        grant: grantId,
        host: host.id,
        until: parts.now() + TOKEN_SECONDS * 1000,
      }
    },

    async holds({ grant, host }) {
      const known = await hostOf({ clientId: CONSOLE_CLIENT_ID }, mcp)
      return known?.id === host && (await store.read.oauth.artifact('Grant', grant)) !== undefined
    },

    async endMcpTokens(grants) {
      await store.writeOAuth(async (oauth) => {
        for (const grant of grants) await oauth.endGrant(grant, parts.now())
      })
      await parts.grantsEnded(grants)
    },
  }
}
