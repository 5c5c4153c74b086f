/**
 * A WebSocket is an exchange whose response is 101: admitted, counted and recorded like any other. Its bytes are not
 * read.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { methodBit } from '../../snapshot/find/methods.ts'
import { allowOf } from '../../snapshot/find/routes.ts'
import { visibleMethods } from '../../snapshot/find/visible-methods.ts'
import type { LinkedProfile } from '../../snapshot/linked/client.ts'
import type { Called, Located, Routed } from '../exchange.ts'
import {
  asIs,
  byHead,
  type Explain,
  NO_CALLER,
  open,
  pass,
  profileName,
  proxyName,
} from '../explain/judged.ts'

/** The method is in the lists of the proxy and of the profile. */
export function methodAllowed(exchange: Called): RefusalCode | null {
  const { proxy } = exchange
  const { profile } = exchange.identity
  if (proxy !== null && (proxy.methods & profile.methods & methodBit(exchange.method)) !== 0) return null
  exchange.allow = allowOf(allowedMethods(exchange, profile))
  return 'method_not_allowed'
}

/** Methods with which the profile may call the path, each at the proxy that it leads to. */
function allowedMethods({ collection, others, path }: Called, profile: LinkedProfile): number {
  const { routes, fragment } = collection
  let allowed = 0
  let taken = 0
  for (const one of others ?? routes.find(path.slice(fragment.base_path.length), 0).others!) {
    allowed |= visibleMethods(profile, collection, one) & ~taken
    taken |= one.methods
  }
  return allowed
}

/** A proxy of kind websocket is called by offering the upgrade, and in no other way. */
export function upgradeOffered({ proxy, upgrade }: Routed): RefusalCode | null {
  const { features } = proxy.fragment
  return features === null || features.websocket === undefined || upgrade ? null : 'upgrade_required'
}

export const explainMethod: Explain<Located> = (exchange, _asked, check) => {
  if (exchange.identity.profile === null) return NO_CALLER
  const { collection, proxy, others } = exchange
  const ofProfile = `${profileName(exchange)} allowed_methods`
  return asIs(exchange, check, () => ({
    setting: proxy === null ? null : `${proxyName(collection, proxy)} methods; ${ofProfile}`,
    deciding: () =>
      proxy === null ? others!.map((one) => `${proxyName(collection, one)} methods`).join('; ') : ofProfile,
  }))
}

export const explainUpgrade: Explain<Located> = (exchange, asked, check) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const described =
    proxy.fragment.features?.websocket === undefined
      ? pass('no upgrade is asked for')
      : open('depends on the offer to upgrade', `${proxyName(collection, proxy)} kind: websocket`)
  return byHead(exchange, asked, check, described)
}
