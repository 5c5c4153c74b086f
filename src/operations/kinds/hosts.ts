import { HostSpec } from '../../model/host.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'

/** An AI application. The authorization server makes a host when a person first allows an unknown application. */
export const hostKind: Kind = {
  type: 'hosts',
  noun: NOUNS.hosts,
  prefix: 'hst',
  group: 'manage_hosts',
  spec: HostSpec,
  fixed: ['software'],
  view: viewSchema(HostSpec),
  columns: ['slug', 'name', 'active', 'software', 'created_at'],
  parent: null,
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  // Stored by the schema of this type
  keyOf: (spec) => (spec as HostSpec).software,
}

export const hostOperations = {
  ...standardOf(hostKind),
  toggle: toggleOf(hostKind),
}
