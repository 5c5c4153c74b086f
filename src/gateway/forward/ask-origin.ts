import type { OriginFragment } from '../../snapshot/fragments.ts'
import { linkClient } from '../../snapshot/link/client.ts'
import { linkOrigin } from '../../snapshot/link/origin.ts'
import type { LinkedOrigin } from '../../snapshot/linked/mcp.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { createInnerCalls } from '../ends/in-process.ts'
import type { Lane } from '../lane.ts'
import type { CallerOfCall, InnerAnswer } from '../port.ts'
import { declaredAgent } from '../record.ts'
import type { CheckRow } from '../rows.ts'

/** A request to an origin that no caller has asked for. Header lines end in CRLF. */
export interface OriginQuestion {
  readonly method: 'POST' | 'DELETE'
  readonly fields: string
  readonly body: string | null
}

/** Bytes of an answer that are kept: lists with all their schemas. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024

/** In whose name Postern asks: no caller has this id. */
const POSTERN = linkClient(
  {
    kind: 'client',
    id: 'postern',
    slug: 'postern',
    name: 'Postern',
    active: true,
    valid_until: null,
    collections: [],
    policy: null,
    profiles: [
      {
        id: 'postern_probe',
        slug: 'probe',
        name: 'Probe',
        active: true,
        auth: 'none',
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
  () => {
    throw new RangeError('it has no secrets')
  },
)
const CLIENTS = new Map([[POSTERN.id, POSTERN]])

const CALLER: CallerOfCall = {
  client: { id: POSTERN.id },
  profile: { id: 'postern_probe' },
  credentialId: '',
  subject: '',
  agentHost: '',
  claims: new Map(),
  bearer: '',
  ip: '127.0.0.1',
}

export interface AskOriginTools {
  readonly lane: Lane
  readonly snapshot: () => Snapshot
  /** Those of what Postern itself asks; see `ORIGIN_CHECKS`. */
  readonly checks: readonly CheckRow[]
  readonly requestIds: () => string
}

/** Asks an origin, also one that is not stored yet, over the sockets, address rules and credentials that calls use. Never rejects. */
export function createAskOrigin({
  lane,
  snapshot,
  checks,
  requestIds,
}: AskOriginTools): (fragment: OriginFragment, question: OriginQuestion) => Promise<InnerAnswer> {
  const call = createInnerCalls({
    lane,
    checks,
    snapshot: () => ({ ...snapshot(), clients: CLIENTS }),
  })
  const linked = new WeakMap<OriginFragment, LinkedOrigin>()
  return (fragment, { method, fields, body }) => {
    const origin = linked.get(fragment) ?? linkOrigin(fragment)
    linked.set(fragment, origin)
    const { path, query } = origin
    return new Promise((resolve) => {
      call(
        {
          caller: CALLER,
          requestId: requestIds(),
          method,
          host: '',
          target: '/mcp',
          fields: '',
          ownFields: fields,
          body: body === null ? null : Buffer.from(body),
          agent: declaredAgent(),
          keepBytesMax: ANSWER_BYTES_MAX,
          until: null,
          capability: {
            origin,
            route: origin.route!.proxies[0]!,
            path,
            query,
            virtualMcp: '',
            method: '',
            name: '',
            argumentBytes: 0,
          },
        },
        resolve,
      )
    })
  }
}
