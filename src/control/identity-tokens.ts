import type { OriginAccess } from '../access/origin-access.ts'
import { createGuardedFetch } from '../base/net/guarded-fetch.ts'
import { isExchanging } from '../model/mcp/origin.ts'
import type { Federation } from '../oauth/federation/port.ts'
import { createSealed } from '../oauth/server/sealed.ts'
import { createIdentityTokens, type KeptIdentityTokens } from '../oauth/sign-in/identity-tokens.ts'
import type { ConnectionReader } from '../store/ports/connections.ts'
import type { IdentitiesParts } from './identities.ts'

/** The tokens of people at their identity providers; null without a provider. */
export function openIdentityTokens({
  providers,
  store,
  clock,
  egress,
  vault,
}: Pick<IdentitiesParts, 'providers' | 'store' | 'clock' | 'egress' | 'vault'>): KeptIdentityTokens | null {
  if (providers.length === 0) return null
  return createIdentityTokens({
    providers,
    clock,
    fetch: createGuardedFetch(egress),
    artifacts: store.read.oauth,
    writeArtifacts: (work) => store.writeOAuth(work),
    sealed: createSealed(vault.oauthKey()),
    isWanted: async () => {
      const origins = await store.read.all('origins')
      return origins.some(({ spec }) => spec['active'] === true && isExchanging(spec['auth_mode']))
    },
  })
}

export interface FirstUseParts {
  readonly originAccess: Pick<OriginAccess, 'offered'>
  readonly connections: Pick<ConnectionReader, 'usable'>
  readonly federation: Pick<Federation, 'answer'>
}

/** After a sign-in: gets a token of the person for each origin that has no token of anyone yet, so that Postern can read its catalogue. */
export async function useFirst(
  account: string,
  { originAccess, connections, federation }: FirstUseParts,
): Promise<void> {
  for (const { id, active, mode } of await originAccess.offered(account)) {
    if (!active || !isExchanging(mode)) continue
    if ((await connections.usable(id, 1)).length === 0) await federation.answer(account, id, null)
  }
}
