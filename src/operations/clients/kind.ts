import { z } from 'zod'
import { ClientSpec } from '../../model/client.ts'
import { NOUNS } from '../../model/common.ts'
import { type Kind, viewSchema } from '../kind.ts'
import { warnOfInactivePolicy } from '../policies/inactive.ts'
import { truth } from '../truth.ts'

export const clientKind: Kind = {
  type: 'clients',
  noun: NOUNS.clients,
  prefix: 'cli',
  group: 'manage_clients',
  spec: ClientSpec,
  view: viewSchema(ClientSpec),
  columns: ['slug', 'name', 'kind', 'active', 'collections', 'policy', 'updated_at'],
  parent: null,
  refs: [
    { field: 'collections', type: 'collections', many: true },
    { field: 'policy', type: 'policies' },
  ],
  staged: false,
  filters: {
    kind: ClientSpec.shape.kind.unwrap(),
    active: truth,
    collections: z.string().max(130),
    policy: z.string().max(130),
  },
  warn: warnOfInactivePolicy,
}
