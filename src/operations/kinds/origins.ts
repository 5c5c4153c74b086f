import { z } from 'zod'
import { isRefusedHost } from '../../base/address.ts'
import { refuse } from '../../base/refusal.ts'
import { OriginSpec } from '../../model/origin.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { currentOriginShape, currentOrigins } from '../origins/current.ts'
import { probing } from '../origins/saving.ts'
import { warnOfInactivePolicy } from '../policies/inactive.ts'

export const originKind: Kind = {
  type: 'origins',
  noun: NOUNS.origins,
  prefix: 'ori',
  group: 'manage_origins',
  spec: OriginSpec,
  view: viewSchema(OriginSpec, currentOriginShape),
  columns: ['slug', 'name', 'kind', 'url', 'active', 'reachable', 'capabilities.tools', 'updated_at'],
  parent: null,
  refs: [
    { field: 'collection', type: 'collections' },
    { field: 'credential', type: 'credentials' },
    { field: 'policy', type: 'policies' },
  ],
  staged: false,
  filters: {
    kind: OriginSpec.shape.kind.unwrap(),
    active: booleanFilter,
    credential: z.string().max(130),
    policy: z.string().max(130),
  },
  asks: ({ url }) => (typeof url === 'string' ? [{ pointer: '/url', url }] : []),
  sentTo: (spec) => {
    const { url, tls } = spec as OriginSpec
    return [url, tls]
  },
  check: async (fields) => checkOrigin(fields),
  warn: warnOfInactivePolicy,
  current: currentOrigins,
}

function checkOrigin(fields: Fields): void {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const { kind, url, collection, credential } = fields as OriginSpec
  const refuseAt = (pointer: string, reason: string): never => {
    throw refuse('input_invalid', {
      detail: `The origin: ${pointer.slice(1)} ${reason}.`,
      errors: [{ pointer, reason }],
    })
  }
  if (kind === 'http') {
    if (url === null) refuseAt('/url', 'is required for an origin of kind http')
    if (collection !== null) refuseAt('/collection', 'belongs to an origin of kind collection')
    if (isRefusedHost(new URL(url!).hostname))
      refuseAt('/url', 'must not be a link-local, metadata or multicast address')
  } else {
    if (collection === null) refuseAt('/collection', 'is required for an origin of kind collection')
    if (url !== null) refuseAt('/url', 'belongs to an origin of kind http')
    if (credential !== null) refuseAt('/credential', 'is that of the collection')
  }
}

const { create, update, put, ...standard } = standardOf(originKind, refuseUsed)

export const originOperations = {
  list: standard.list,
  get: standard.get,
  create: probing(create, originKind),
  update: probing(update, originKind),
  put: probing(put, originKind),
  delete: standard.delete,
  toggle: toggleOf(originKind),
}
