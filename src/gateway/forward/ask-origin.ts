import type { OriginFragment } from '../../snapshot/fragments.ts'
import { linkClient } from '../../snapshot/link/client.ts'
import { linkOrigin } from '../../snapshot/link/small-kinds.ts'
import type { LinkedOrigin } from '../../snapshot/linked-types/mcp.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { CallHandle } from '../../wire/port.ts'
import { createInnerCalls } from '../ends/in-process.ts'
import type { Lane } from '../exchange.ts'
import type { AnswerPieces, Caller, CallerOfCall, GatewayPort, InnerAnswer } from '../port.ts'
import { declaredAgent } from '../record.ts'
import type { CheckRow } from '../stage-types.ts'

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
  signIn: null,
  bearer: '',
  ip: '127.0.0.1',
}

export interface AskOriginTools {
  readonly lane: Lane
  readonly snapshot: () => Snapshot
  /** Those of what Postern itself asks; see `ORIGIN_CHECKS`. */
  readonly checks: readonly CheckRow[]
  readonly requestIds: () => string
  /** See `createInnerCalls`. */
  readonly originFailed: (origin: string) => void
}

/** What Postern asks of origins beside the calls of capabilities. */
export type AskOrigin = Pick<GatewayPort, 'askOrigin' | 'readOrigin'>

/** See {@link GatewayPort.askOrigin}. */
export function createAskOrigin({
  lane,
  snapshot,
  checks,
  requestIds,
  originFailed,
}: AskOriginTools): AskOrigin {
  const ownCall = createInnerCalls({
    lane,
    checks,
    originFailed,
    snapshot: () => ({ ...snapshot(), clients: CLIENTS }),
  })
  const callFor = createInnerCalls({ lane, checks, originFailed, snapshot })
  const linked = new WeakMap<OriginFragment, LinkedOrigin>()

  const readOrigin = (
    fragment: OriginFragment,
    { method, fields, body, at, as }: Parameters<AskOrigin['askOrigin']>[1],
    reader: AnswerPieces | null,
    done: (answer: InnerAnswer, exchange: { readonly reason: string }) => void,
    caller: Caller | null = null,
  ): CallHandle => {
    const call = caller === null ? ownCall : callFor
    const origin = linked.get(fragment) ?? linkOrigin(fragment)
    linked.set(fragment, origin)
    const { path, query } = at ?? origin
    return call(
      {
        caller: caller ?? CALLER,
        requestId: requestIds(),
        method,
        host: '',
        target: '/mcp',
        fields: '',
        ownFields: fields,
        body: body === null ? null : Buffer.from(body),
        agent: declaredAgent(),
        keepBytesMax: ANSWER_BYTES_MAX,
        ...(reader === null ? {} : { reader }),
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
          ...(as === undefined ? {} : { account: as }),
        },
      },
      done,
    )
  }

  return {
    readOrigin,
    askOrigin: (fragment, question, caller) =>
      new Promise(
        (resolve) =>
          void readOrigin(
            fragment,
            question,
            null,
            (answer, { reason }) => resolve({ ...answer, reason }),
            caller,
          ),
      ),
  }
}
