/** Links hosts and their bindings. */
import { Secret } from '../../base/crypto/token.ts'
import type { HostFragment, ProfileFragment } from '../fragments.ts'
import type { LinkedHost } from '../linked/client.ts'
import { linkClient } from './client.ts'

/** Name of the one profile of a host. */
const PROFILE = 'sign-in'

/**
 * Links a host. To the checks, the limits and the record it is a client. People are the callers of its profile `sign-in`, and a virtual
 * MCP says which of them it is shared with. Each binding is a profile with tokens for one virtual MCP.
 */
export function linkHost(fragment: HostFragment): LinkedHost {
  const { id, slug, name, active, bindings = [] } = fragment
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
        ...bindings,
      ],
    },
    () => new Secret(''),
  )
  return { kind: 'host', id, fragment, client, profile: client.profiles.get(id)!, off: offOf(bindings) }
}

/** What inactive bindings switch off for people who sign in. A binding for tokens that are exchanged says nothing about them. */
function offOf(bindings: readonly ProfileFragment[]): ReadonlySet<string> {
  const off = bindings.flatMap(({ active, binding }) =>
    active || binding === undefined || binding.acts_for !== undefined ? [] : [binding],
  )
  return new Set(off.map(({ virtual_mcp, user }) => (user === null ? virtual_mcp : `${virtual_mcp} ${user}`)))
}
