import type { TeamSpec, UserSpec } from '../../model/access.ts'
import type { HostSpec } from '../../model/host.ts'
import type { HostFragment, PersonFragment, TeamFragment } from '../fragments.ts'
import type { Desired } from './compile.ts'

export function compileHost({ id, slug, spec: { name, active } }: Desired<HostSpec>): HostFragment {
  return { kind: 'host', id, slug, name, active }
}

/** A user. Gateway threads get neither name nor address. */
export function compilePerson({ id, slug, spec: { active, groups } }: Desired<UserSpec>): PersonFragment {
  return { kind: 'person', id, slug, active, groups }
}

export function compileTeam({ id, slug, spec }: Desired<TeamSpec>): TeamFragment {
  const { parent, members, idp_groups: groups } = spec
  return { kind: 'team', id, slug, parent, members: members.map(({ user }) => user), groups }
}
