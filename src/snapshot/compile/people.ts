/** Compiles users, teams and hosts. */
import type { TeamSpec, UserSpec } from '../../model/access/access.ts'
import { type BindingSpec, fingerprintOfKeys, type HostSpec } from '../../model/access/host.ts'
import type {
  HostFragment,
  PersonFragment,
  ProfileFragment,
  TeamFragment,
  TokenFragment,
} from '../fragments.ts'
import { selectionOf } from './capability-rules.ts'
import type { Desired } from './compile.ts'

/** A binding with its tokens. */
interface DesiredBinding extends Desired<BindingSpec> {
  readonly tokens: readonly TokenFragment[]
}

export interface HostSource {
  readonly host: Desired<HostSpec>
  readonly bindings: readonly DesiredBinding[]
}

export function compileHost({ host: { id, slug, spec }, bindings }: HostSource): HostFragment {
  const { name, active } = spec
  const bound = bindings.length === 0 ? {} : { bindings: bindings.map(compileBinding) }
  return { kind: 'host', id, slug, name, active, ...bound }
}

function compileBinding({ id, slug, spec, tokens }: DesiredBinding): ProfileFragment {
  const { name, active, ip_allowlist, virtual_mcp, user } = spec
  // Specs stored by earlier versions lack them
  const { capabilities = null, acts_for = null, keys = [] } = spec
  return {
    ...SIGNED_IN,
    id,
    slug,
    name,
    active,
    auth: 'token',
    tokens,
    ip_allowlist,
    binding: {
      virtual_mcp,
      user,
      ...(capabilities === null ? {} : { only: selectionOf(capabilities) }),
      ...(acts_for === null ? {} : { acts_for }),
      ...(keys.length === 0 ? {} : { keys: fingerprintOfKeys(keys) }),
    },
  }
}

/** What a host has of a profile: no collection is called through it. */
const SIGNED_IN = {
  verify: null,
  allowed_methods: [],
  ip_allowlist: [],
  collections: null,
  endpoints: { allow: [], deny: [] },
  policy: null,
  forward_identity: false,
} as const

/** A user. Gateway threads get neither name nor address. */
export function compilePerson({ id, slug, spec: { active, groups } }: Desired<UserSpec>): PersonFragment {
  return { kind: 'person', id, slug, active, groups }
}

export function compileTeam({ id, slug, spec }: Desired<TeamSpec>): TeamFragment {
  const { parent, members, idp_groups: groups } = spec
  return { kind: 'team', id, slug, parent, members: members.map(({ user }) => user), groups }
}
