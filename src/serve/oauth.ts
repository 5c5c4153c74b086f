import type { RequestListener } from 'node:http'
import { isProtectedPath } from '../base/protected-resources.ts'
import type { Asker } from '../oauth/server/audit.ts'
import type { AuthorizationServer, AuthorizationServerParts } from '../oauth/server/server.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { PREAMBLE } from './preamble.ts'

/** The authorization server as the control plane hands requests to it. */
export interface OAuthDoor {
  /** Whether a path is one of its own. */
  readonly serves: (path: string) => boolean
  readonly answer: RequestListener
}

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const

/**
 * Where the metadata of the authorization server stands that a path asks for, or null for another path. Clients from before
 * there was metadata of resources (RFC 9728) put the path of the resource behind it.
 */
function metadataOf(path: string): string | null {
  const root = METADATA.find((one) => path === one || path.startsWith(`${one}/`))
  return root !== undefined && (path === root || isProtectedPath(path.slice(root.length))) ? root : null
}

/**
 * The authorization server. Its engine is loaded by the first request for it: it would be a third of the memory of the main
 * thread, and of its start.
 */
export function createOAuthDoor(parts: AuthorizationServerParts): OAuthDoor {
  let loading: Promise<AuthorizationServer> | undefined
  const load = async (): Promise<AuthorizationServer> => {
    const { createAuthorizationServer } = await import('../oauth/server/server.ts')
    return createAuthorizationServer(parts)
  }
  return {
    serves: (path) => path.startsWith('/oauth/') || metadataOf(path) !== null,
    answer(request, response) {
      request.url = metadataOf((request.url ?? '/').split('?', 1)[0]!) ?? request.url
      const text = (name: string): string | null => {
        const value = request.headers[name]
        return typeof value === 'string' ? value : null
      }
      const asker: Asker = {
        ip: text(PREAMBLE.peer),
        userAgent: text('user-agent'),
        requestId: text(PREAMBLE.requestId),
      }
      loading ??= load()
      loading
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
    },
  }
}
