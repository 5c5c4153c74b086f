import type { Provider } from 'oidc-provider'
import { isLocalRedirect } from './clients.ts'
import type { ClientDocuments } from './documents.ts'

/**
 * Shows errors of a request for authorization on a page, in place of a redirect, if the redirect leads to a website that
 * nobody vouches for. Anyone can register a client: a link to this server would otherwise lead to any website, without a
 * word from the person who follows it (RFC 9700 section 4.11.2). What comes after sign-in or consent is redirected.
 */
export function keepErrorsHere(provider: Provider, documents: Pick<ClientDocuments, 'nameOf'>): void {
  // The engine emits this before it decides between the page and the redirect
  provider.on('authorization.error', ({ oidc, query }, error) => {
    if (oidc.route !== 'authorization') return
    const redirect = oidc.params?.redirect_uri ?? query['redirect_uri']
    if (typeof redirect === 'string' && isLocalRedirect(redirect)) return
    if (documents.nameOf(oidc.client?.clientId ?? '') !== undefined) return
    Object.assign(error, { allow_redirect: false })
  })
}
