/** The door of the authorization server, whose engine the first request loads. */
import type { RequestListener } from 'node:http'
import { doorAt } from '../base/doors.ts'
import { PREAMBLE } from '../fleet/shared/preamble.ts'
import type { Asker } from '../oauth/server/audit.ts'
import type { ConsoleSignIn } from '../oauth/server/console-sign-in.ts'
import type { ConsoleTokens } from '../oauth/server/console-tokens.ts'
import type { AuthorizationServer, AuthorizationServerParts } from '../oauth/server/server.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'

/**
 * The authorization server. Its engine is loaded by the first request for it: it would be a third of the memory of the main
 * thread, and of its start. Clients from before there was metadata of resources (RFC 9728) put the path of a resource behind the
 * path of the metadata.
 */
export function createOAuthDoor(
  parts: AuthorizationServerParts,
): ConsoleSignIn & ConsoleTokens & { readonly listener: RequestListener } {
  let loading: Promise<AuthorizationServer> | undefined
  const load = async (): Promise<AuthorizationServer> => {
    const { createAuthorizationServer } = await import('../oauth/server/server.ts')
    return createAuthorizationServer(parts)
  }
  const loaded = (): Promise<AuthorizationServer> => {
    loading ??= load()
    return loading
  }
  const listener: RequestListener = (request, response) => {
    const door = doorAt((request.url ?? '/').split('?', 1)[0]!)
    if (door?.extent === 'resources') request.url = door.path
    const text = (name: string): string | null => {
      const value = request.headers[name]
      return typeof value === 'string' ? value : null
    }
    const asker: Asker = {
      ip: text(PREAMBLE.peer),
      userAgent: text('user-agent'),
      requestId: text(PREAMBLE.requestId),
    }
    loaded()
      .then((server) => server.answer(request, response, asker))
      .catch((error: unknown) => {
        // A caller that leaves in the middle of its body is no fault
        if (!request.complete && request.destroyed) return response.destroy()
        parts.fault(error, asker.requestId ?? '')
        if (response.headersSent) return response.destroy()
        const headers = { 'cache-control': 'no-store', 'content-type': 'application/json' }
        if (error instanceof StoreUnavailable)
          return response
            .writeHead(error.status, headers)
            .end(JSON.stringify({ error: 'temporarily_unavailable', error_description: error.message }))
        return response.writeHead(500, { 'cache-control': 'no-store' }).end()
      })
  }
  return {
    listener,
    redeem: async (brought, asker) => (await loaded()).redeem(brought, asker),
    signedOut: async (signedIn, asker) => (await loaded()).signedOut(signedIn, asker),
    mcpToken: async (account, resource, asker) => (await loaded()).mcpToken(account, resource, asker),
    holds: async (token) => (await loaded()).holds(token),
    endMcpTokens: async (grants) => (await loaded()).endMcpTokens(grants),
  }
}
