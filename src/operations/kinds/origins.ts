import { z } from 'zod'
import { isRefusedHost } from '../../base/address.ts'
import { refuse } from '../../base/refusal.ts'
import { OriginSpec } from '../../model/origin.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { ShownSetting } from '../../model/setting.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { currentOriginShape, currentOrigins } from '../origins/current.ts'
import { hasRunner } from '../origins/runner.ts'
import { probing } from '../origins/saving.ts'
import { warnOfInactivePolicy } from '../policies/inactive.ts'

export const originKind: Kind = {
  type: 'origins',
  noun: NOUNS.origins,
  prefix: 'ori',
  group: 'manage_origins',
  spec: OriginSpec,
  view: viewSchema(OriginSpec, currentOriginShape),
  columns: [
    'slug',
    'name',
    'kind',
    'url',
    'entry',
    'active',
    'reachable',
    'down_since',
    'last_error',
    'capabilities.tools',
    'updated_at',
  ],
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
  check: async (fields, _self, { settings }) => {
    checkOrigin(fields)
    demandRunner(fields, settings)
  },
  warn: warnOfInactivePolicy,
  current: currentOrigins,
}

function checkOrigin(fields: Fields): void {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const spec = fields as OriginSpec
  const { kind, url } = spec
  const refuseAt = (pointer: string, reason: string): never => {
    throw refuse('input_invalid', {
      detail: `The origin: ${pointer.slice(1)} ${reason}.`,
      errors: [{ pointer, reason }],
    })
  }
  for (const [member, of] of OWNERS) {
    const isGiven = member === 'parameters' ? Object.keys(spec.parameters).length > 0 : spec[member] !== null
    if (kind === of && !isGiven && member !== 'parameters')
      refuseAt(`/${member}`, `is required for an origin of kind ${of}`)
    if (kind !== of && isGiven) refuseAt(`/${member}`, `belongs to an origin of kind ${of}`)
  }
  if (kind === 'http' && isRefusedHost(new URL(url!).hostname))
    refuseAt('/url', 'must not be a link-local, metadata or multicast address')
  if (kind === 'collection' && spec.credential !== null) refuseAt('/credential', 'is that of the collection')
  if (kind === 'stdio') {
    if (spec.credential !== null)
      refuseAt('/credential', 'is for URLs: the file of the runner has the secrets of a stdio server')
    if (spec.tls !== null) refuseAt('/tls', 'belongs to an origin of kind http')
  }
}

/** By which kind each of these members is read. */
const OWNERS = [
  ['url', 'http'],
  ['collection', 'collection'],
  ['entry', 'stdio'],
  ['parameters', 'stdio'],
] as const

/** An origin that is switched off asks for no runner, so that it can be switched off where there is none. */
function demandRunner({ kind, active }: Fields, settings: readonly ShownSetting[]): void {
  if (kind !== 'stdio' || active === false || hasRunner(settings)) return
  throw refuse('configuration_invalid', {
    detail:
      'An origin of kind stdio is an entry of postern runner, and this Postern has none. Start postern runner, then start Postern with POSTERN_RUNNER set, such as unix:/run/postern/runner.sock.',
    errors: [{ pointer: '/kind', reason: 'needs the setting POSTERN_RUNNER' }],
  })
}

const { create, update, put, ...standard } = standardOf(originKind, refuseUsed)

export const originOperations = {
  list: standard.list,
  get: standard.get,
  create: probing(create, originKind),
  update: probing(update, originKind),
  put: probing(put, originKind),
  delete: standard.delete,
  toggle: toggleOf(originKind, async ({ spec }, { settings }) =>
    demandRunner({ ...spec, active: true }, settings),
  ),
}
