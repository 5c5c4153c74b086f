/** Tries the client credentials of Postern at an identity provider, without signing anybody in. */
import { randomUUID } from 'node:crypto'
import { type Plain, plainIn } from '../../base/json/storable.ts'
import { discoveredFrom } from '../../base/net/egress.ts'
import { type ClientAuthMethod, methodFor, SECRET_METHODS, toClientAuth } from './client-auth.ts'
import { discover, type OidcParts, reasonOf, shownError } from './oidc.ts'
import { callbackPathOf } from './port.ts'

/** What came of a try to authenticate at an identity provider as a client. */
export interface ClientTrial {
  readonly method: ClientAuthMethod
  /** `unclear` when the answer tells neither. */
  readonly outcome: 'accepted' | 'refused' | 'unclear'
  /** What the provider answered, without secrets. */
  readonly answer: string
  /** Another method that the same secret is accepted by. */
  readonly instead: ClientAuthMethod | null
}

/**
 * Asks the token endpoint for tokens for a code that no provider has issued. `invalid_grant` shows that the client is
 * authenticated, `invalid_client` that it is not (RFC 6749 section 5.2). Nobody signs in. Returns a sentence when the provider
 * cannot be asked.
 */
export async function tryClient(
  parts: Pick<OidcParts, 'provider' | 'fetch' | 'origin' | 'clock'>,
): Promise<ClientTrial | string> {
  const { provider } = parts
  try {
    const [metadata, proof] = await Promise.all([
      discover(parts).then((found) => found.serverMetadata()),
      provider.proof(),
    ])
    const method = methodFor(provider.clientAuth, proof, metadata.token_endpoint_auth_methods_supported)
    const ask = async (by: ClientAuthMethod): Promise<Omit<ClientTrial, 'instead'>> => {
      const body = new URLSearchParams({
        grant_type: 'authorization_code',
        code: randomUUID(),
        redirect_uri: parts.origin + callbackPathOf(provider.slug),
        code_verifier: randomUUID() + randomUUID(),
      })
      const headers = new Headers({
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
      })
      toClientAuth(by, proof, () => parts.clock.now())(
        metadata,
        { client_id: provider.clientId },
        body,
        headers,
      )
      const url = metadata.token_endpoint ?? ''
      const answer = await parts.fetch({
        url,
        from: discoveredFrom(provider.issuer, url),
        method: 'POST',
        headers: Object.fromEntries(headers),
        body: Buffer.from(body.toString()),
      })
      return { method: by, ...judge(answer.status, plainIn(answer.body) ?? {}) }
    }
    const first = await ask(method)
    let instead: ClientAuthMethod | null = null
    if (first.outcome === 'refused' && proof.secret !== null)
      for (const other of SECRET_METHODS)
        if (instead === null && other !== method && (await ask(other)).outcome === 'accepted') instead = other
    return { ...first, instead }
  } catch (error) {
    const reason = reasonOf(error)
    if (reason === null) throw error
    return reason
  }
}

function judge(status: number, body: Plain): Pick<ClientTrial, 'outcome' | 'answer'> {
  const { error } = body
  const answer = typeof error === 'string' ? `${status} ${shownError(body)}` : String(status)
  if (status === 401 || error === 'invalid_client' || error === 'unauthorized_client')
    return { outcome: 'refused', answer }
  // One that is not of the standard, of a provider that is in use
  if (error === 'invalid_grant' || error === 'invalid_code') return { outcome: 'accepted', answer }
  return { outcome: 'unclear', answer }
}
