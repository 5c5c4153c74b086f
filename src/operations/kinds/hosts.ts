import { refuse } from '../../base/refusal.ts'
import { HostSpec } from '../../model/access/host.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { currentHostShape, currentHosts } from '../hosts/current.ts'

/** An AI application or agent. The authorization server makes a host when a person first allows an unknown application. */
export const hostKind: Kind<'hosts'> = {
  type: 'hosts',
  noun: NOUNS.hosts,
  prefix: 'hst',
  group: 'manage_hosts',
  spec: HostSpec,
  view: viewSchema(HostSpec, currentHostShape),
  columns: ['slug', 'name', 'active', 'bindings', 'valid_tokens', 'software', 'created_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    identity: ['software'],
  },
  parent: null,
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  // Stored by the schema of this type
  keyOf: (spec) => spec.software,
  current: currentHosts,
  check,
}

/** What people have allowed one application is not handed to another. */
async function check(fields: HostSpec, { id }: Self, { whole }: OperationContext): Promise<void> {
  const before = await whole.byId('hosts', id)
  const { software } = fields
  if (before === undefined && software !== null && (await whole.byKey('hosts', software, null)).length > 0)
    throw refuse('already_exists', {
      detail: 'There is already a host with this software.',
      errors: [{ pointer: '/software', reason: 'already taken' }],
    })
  if (before === undefined || before.spec['software'] === software) return
  throw refuse('input_invalid', {
    detail: '/software cannot change.',
    errors: [{ pointer: '/software', reason: 'cannot change' }],
  })
}

/** Its bindings and their tokens are deleted with a host. */
async function detach(host: Resource, { whole, change }: OperationContext): Promise<void> {
  for (const binding of await whole.all('bindings', host.id)) await change.remove(binding)
}

export const hostOperations = {
  ...standardOf(hostKind, detach),
  toggle: toggleOf(hostKind),
}
