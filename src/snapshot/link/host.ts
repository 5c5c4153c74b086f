import { Secret } from '../../base/secret.ts'
import type { HostFragment } from '../fragments.ts'
import type { LinkedHost } from '../linked/client.ts'
import { linkClient } from './client.ts'

/** Name of the one profile of a host. */
const PROFILE = 'sign-in'

/**
 * Links a host. To the checks, the limits and the record it is a client with one profile: people are its callers, and a virtual MCP says
 * which of them it is shared with.
 */
export function linkHost(fragment: HostFragment): LinkedHost {
  const { id, slug, name, active } = fragment
  const client = linkClient(
    {
      kind: 'client',
      id,
      slug,
      name,
      active,
      valid_until: null,
      collections: [],
      policy: null,
      profiles: [
        {
          id,
          slug: PROFILE,
          name,
          active: true,
          auth: 'oidc',
          tokens: [],
          verify: null,
          allowed_methods: [],
          ip_allowlist: [],
          collections: null,
          endpoints: { allow: [], deny: [] },
          policy: null,
          forward_identity: false,
        },
      ],
    },
    () => new Secret(''),
  )
  return { kind: 'host', id, fragment, client, profile: client.profiles.get(id)! }
}
