/**
 * A call of a server that a node names in its settings. Nothing of the caller goes along: neither headers nor address nor identity, and
 * no credential is made of the token of the caller.
 */

import { isPlain, scalarText } from '../../base/json/storable.ts'
import { isNeverPassed, isOverride } from '../../model/http-names.ts'
import { NodeFailure, type ServerRequest } from '../../nodes/run.ts'
import type { LinkedProfile } from '../../snapshot/linked-types/client.ts'
import type { LinkedServer } from '../../snapshot/linked-types/collection.ts'
import { canonicalTarget } from '../../wire/target.ts'
import { keptIn } from '../contract/parsed-contracts.ts'
import { type End, Exchange, Identity, type KnownIdentity, type Routed, startedOutcome } from '../exchange.ts'
import { budgetOf } from '../exchange-memory.ts'
import type { Life } from '../stage-types.ts'
import { bodyBytes, readFields, toLines } from './body.ts'
import { type Done, startCall } from './step-call.ts'

const CONTENT_TYPE = 'content-type'
const NOTHING = new Uint8Array(0)
/** Names that a request has by default. */
const DEFAULTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['accept', ['*/*']],
  ['user-agent', ['postern']],
])

/**
 * Makes the call. `done` is told later, never at once.
 * @returns what gives the call up
 * @throws NodeFailure for what is no request
 */
export function callServer(
  outer: Routed,
  life: Life,
  server: LinkedServer | undefined,
  asked: ServerRequest,
  done: Done,
): () => void {
  if (server === undefined) throw new NodeFailure('server', 'the server of the node is not known')
  const told: Done = (came) =>
    done(came instanceof NodeFailure && came.code === 'response_invalid' ? tooLong(asked.bytesMax) : came)
  return startCall(outer, life, (end) => toExchange(outer, server, asked, end), asked.bytesMax, told)
}

/** Nothing else of an answer is judged on this way. */
function tooLong(bytesMax: number): NodeFailure {
  return new NodeFailure('max_body', `the body of the response is longer than max_body, ${bytesMax} bytes`)
}

function toExchange(
  outer: Routed,
  { route, path, stem }: LinkedServer,
  { method, ...asked }: ServerRequest,
  end: End,
): Exchange {
  const { lane, snapshot, requestId } = outer
  const proxy = route.proxies[0]!
  // The caller's own is not among the values of a run, and a credential goes before
  const setsAuthorization = proxy.credential === null
  const isKept = (name: string): boolean =>
    isSendable(name) || (setsAuthorization && name === 'authorization')
  const fields = new Map([...DEFAULTS, ...readFields(asked.headers, isKept)])
  const { body } = asked
  const type = fields.get(CONTENT_TYPE)?.[0] ?? typeOf(body)
  const bytes = body === undefined ? NOTHING : bodyBytes(body, type)
  if (bytes.length > 0) fields.set(CONTENT_TYPE, [type])
  const exchange = new Exchange(
    lane,
    end,
    startedOutcome(lane.clock.monotonic(), bytes.length),
    requestId,
    outer.now,
    snapshot,
    outer.surface,
    method,
    asked.path === undefined ? path : stem + toPath(asked.path),
    '',
    outer.ip,
    bytes.length,
  )
  exchange.identity = withoutCaller(outer.identity)
  exchange.collection = route
  exchange.proxy = proxy
  exchange.traceParent = outer.traceParent
  exchange.traceState = outer.traceState
  exchange.query = asked.query === undefined ? '' : toQuery(asked.query)
  exchange.pass = toLines(fields)
  exchange.body = bytes
  // Answers are kept until the run has ended
  budgetOf(outer)
  exchange.reservation = outer.reservation
  return exchange
}

function typeOf(body: unknown): string {
  if (typeof body === 'string') return 'text/plain; charset=utf-8'
  return body instanceof Uint8Array ? 'application/octet-stream' : 'application/json'
}

const silent = new WeakMap<LinkedProfile, LinkedProfile>()

/** Connections and failures count for the caller as everywhere, and nothing that is sent can tell who calls. */
function withoutCaller({ client, profile, subject }: KnownIdentity): KnownIdentity {
  const identity = new Identity()
  identity.client = client
  identity.profile = keptIn(silent, profile, () => ({
    ...profile,
    fragment: { ...profile.fragment, forward_identity: false },
    identityLines: '',
    // Without it no token of the caller is exchanged
    verifier: null,
  }))
  identity.subject = subject
  return identity as KnownIdentity
}

// Parts of a request that a node has computed.

/** Answers are read: they must not be compressed. */
export const CODING = 'accept-encoding'

/** Names that a node may set: as callers may. @param name lower case */
export function isSendable(name: string): boolean {
  return name !== CODING && !isNeverPassed(name) && !isOverride(name)
}

/** A path that a node has computed. @throws NodeFailure for what is no canonical path */
export function toPath(value: unknown): string {
  const target = typeof value === 'string' ? canonicalTarget(value) : null
  if (target === null || target.query !== '')
    throw new NodeFailure(
      'path',
      'path is no canonical path: it starts with /, and has no query and no empty segment',
    )
  return target.path
}

/** A query without `?`. @throws NodeFailure for what is no object of texts, numbers and lists of them */
export function toQuery(value: unknown): string {
  if (value === null) return ''
  if (!isPlain(value)) throw new NodeFailure('query', 'query is no object')
  const query = new URLSearchParams()
  for (const [name, given] of Object.entries(value))
    for (const one of [given].flat()) {
      const text = one === null || one === undefined ? null : scalarText(one)
      if (text === undefined)
        throw new NodeFailure('query', `the parameter ${name} is neither a text nor a number`)
      if (text !== null) query.append(name, text)
    }
  return query.toString()
}
