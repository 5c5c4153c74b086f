import type { LinkedProfile } from '../linked/client.ts'
import type { LinkedCollection, LinkedProxy } from '../linked/collection.ts'
import { ALL_METHODS } from './methods.ts'

/** Methods of a proxy that a profile may use: what the checks `assignment` and `method` let through. 0 hides the endpoint. */
export function visibleMethods(
  profile: LinkedProfile,
  collection: LinkedCollection,
  proxy: LinkedProxy,
): number {
  const ruled = profile.endpoints === null ? ALL_METHODS : profile.endpoints(collection, proxy)
  return proxy.methods & profile.methods & ruled
}
