import type { TokenEndpointResponse } from 'openid-client'
import { discoverIssuer, reasonOf } from './authorization-server.ts'
import { type Contexts, changeContexts, readContexts, type SignedIn } from './context-file.ts'
import { UsageError } from './exit.ts'
import type { CliPorts } from './ports.ts'

/** A token that ends so soon is renewed before it is shown, milliseconds. */
const EARLY_MS = 30_000
/** Life of an access token whose issuer does not say, milliseconds. */
const LIFE_MS_DEFAULT = 300_000

/** What a token is shown to: the management API, or Management MCP. */
export type Door = 'rest' | 'mcp'

/**
 * The access token of a context that was signed in to, renewed where it has ended or was refused. A refresh token is
 * used once: of several processes one renews, and the others take what it stored.
 */
export async function signedInToken(
  ports: CliPorts,
  name: string,
  door: Door,
  refused?: string,
): Promise<string> {
  const kept = usable(tokenFor(signedIn(readContexts(ports), name), door), refused)
  if (kept !== null) return kept
  return changeContexts(ports, async (contexts) => {
    const credential = signedIn(contexts, name)
    const stored = usable(tokenFor(credential, door), refused)
    if (stored !== null) return [null, stored]
    if (credential.refresh_token === null) throw ended(name, 'the token has expired')
    const next = await renew(ports, name, credential, credential.refresh_token, door)
    return [withCredential(contexts, name, next), tokenFor(next, door).access_token!]
  })
}

/** What a token endpoint answered, as it is kept. */
export function toSignedIn(
  answer: TokenEndpointResponse,
  before: Omit<SignedIn, 'kind' | 'access_token' | 'expires_at' | 'refresh_token'> &
    Partial<Pick<SignedIn, 'refresh_token'>>,
): SignedIn {
  const { issuer, client_id, resource, mcp } = before
  return {
    kind: 'oauth',
    issuer,
    client_id,
    resource,
    scope: answer.scope ?? before.scope,
    access_token: answer.access_token,
    expires_at:
      Date.now() + (answer.expires_in === undefined ? LIFE_MS_DEFAULT : Number(answer.expires_in) * 1000),
    refresh_token: answer.refresh_token ?? before.refresh_token ?? null,
    mcp,
  }
}

/** The contexts with another credential in one of them. */
export function withCredential(
  contexts: Contexts,
  name: string,
  credential: Contexts['contexts'][string]['credential'],
): Contexts {
  const before = contexts.contexts[name]
  return {
    ...contexts,
    contexts: { ...contexts.contexts, [name]: { url: before?.url ?? null, credential } },
  }
}

function signedIn({ contexts }: Contexts, name: string): SignedIn {
  const credential = contexts[name]?.credential
  if (credential?.kind !== 'oauth') throw ended(name, 'it was signed out')
  return credential
}

type Kept = NonNullable<SignedIn['mcp']>

function tokenFor(credential: SignedIn, door: Door): Kept {
  return (door === 'mcp' ? credential.mcp : null) ?? credential
}

function usable({ access_token, expires_at }: Kept, refused: string | undefined): string | null {
  return access_token !== refused && expires_at - EARLY_MS > Date.now() ? access_token : null
}

async function renew(
  ports: CliPorts,
  name: string,
  credential: SignedIn,
  refreshToken: string,
  door: Door,
): Promise<SignedIn> {
  const { oauth, server } = await discoverIssuer(ports, credential.issuer, credential.client_id)
  try {
    const { resource } = tokenFor(credential, door)
    const answer = await oauth.refreshTokenGrant(server, refreshToken, { resource })
    const next = toSignedIn(answer, credential)
    if (door === 'rest' || credential.mcp === null) return next
    const { access_token, expires_at, refresh_token } = next
    return { ...credential, refresh_token, mcp: { resource, access_token, expires_at } }
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant')
      throw ended(name, reasonOf(error))
    throw new Error(`The token of ${name} cannot be renewed: ${reasonOf(error)}`, { cause: error })
  }
}

function ended(name: string, why: string): UsageError {
  return new UsageError(
    `You are no longer signed in to ${name} (${why}). Run postern login --context ${name}.`,
  )
}
