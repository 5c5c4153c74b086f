/** Links upstreams and their servers. A server keeps its health when its upstream is linked again. */
import { createHash } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { isRefusedHost } from '../../base/net/address.ts'
import { limitKeyOf } from '../find/limit-key.ts'
import type { TargetFragment, TimeoutsFragment, UpstreamFragment, UpstreamTlsFragment } from '../fragments.ts'
import type { LinkedTarget, LinkedUpstream, TargetState } from '../linked-types/collection.ts'

/** Retries that may be made in a row when all was well before. */
export const RETRIES_MAX = 10

type Timeouts = Required<TimeoutsFragment>

/**
 * Links an upstream. Throws a RangeError that names what is wrong.
 * @param before the one it takes the place of: what is known of its servers lives on.
 */
export function linkUpstream(fragment: UpstreamFragment, before: LinkedUpstream | null): LinkedUpstream {
  const targets = [fragment, ...(fragment.others ?? [])]
  // Throws for what TLS cannot use
  if (fragment.tls?.ca !== undefined) createSecureContext({ ca: fragment.tls.ca })
  const stateOf = (server: string): TargetState =>
    before?.targets.find((target) => target.server === server)?.state ?? newState()
  return {
    fragment,
    rules: fragment.rules,
    targets: targets.map((target, index) => linkTarget(target, index, fragment, fragment, stateOf)),
    state: before?.state ?? {
      retries: RETRIES_MAX,
      windowAt: 0,
      requests: 0,
      errors: 0,
      openedAt: 0,
      openedFor: '',
      clients: new Map(),
      trial: 0,
      firstTrial: 1,
      trials: new Map(),
    },
  }
}

/** The same servers, with what is known of them, under other timeouts. */
export function withTimeouts(upstream: LinkedUpstream, timeouts: TimeoutsFragment): LinkedUpstream {
  const { fragment, targets } = upstream
  const all = { ...timeoutsOf(fragment), ...timeouts }
  const linked = targets.map((target, index) =>
    linkTarget(target.fragment, index, all, fragment, () => target.state),
  )
  return { ...upstream, targets: linked }
}

function timeoutsOf({ connect_ms, first_byte_ms, idle_ms }: Timeouts): Timeouts {
  return { connect_ms, first_byte_ms, idle_ms }
}

function linkTarget(
  fragment: TargetFragment,
  index: number,
  timeouts: Timeouts,
  { pool_max, tls: set }: UpstreamFragment,
  stateOf: (server: string) => TargetState,
): LinkedTarget {
  const { scheme, host, port, path, weight = 1 } = fragment
  const { connect_ms, first_byte_ms, idle_ms } = timeouts
  if (scheme !== 'http' && scheme !== 'https')
    throw new RangeError('the scheme of the upstream is http or https')
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new RangeError('the upstream has no host or port')
  if (isRefusedHost(host)) throw new RangeError('the upstream is a link-local, metadata or multicast address')
  if (path !== '' && (!path.startsWith('/') || path.endsWith('/') || /[^!-~]|[?#\\]/.test(path)))
    throw new RangeError('the path of the upstream is not canonical')
  const tls = set ?? null
  // A host that an administrator has written never shares connections with the runner
  const isRunner = fragment.runner === true
  const server = `${isRunner ? 'runner ' : ''}${scheme} ${host} ${port} ${path}`
  return {
    fragment,
    connect_ms,
    first_byte_ms,
    idle_ms,
    pool_max,
    tls,
    pool: `${isRunner ? 'runner ' : ''}${scheme} ${host} ${port} ${connect_ms} ${first_byte_ms} ${idle_ms} ${pool_max}${tls === null ? '' : tlsKey(tls)}`,
    server,
    url: isRunner
      ? 'runner'
      : `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}${path}`,
    weight,
    bit: 1 << index,
    seed: limitKeyOf(server).low,
    state: stateOf(server),
  }
}

/** Differs for servers that may not share connections. */
function tlsKey({ ca, server_name, min_version, verify }: UpstreamTlsFragment): string {
  const text = JSON.stringify([ca, server_name, min_version, verify])
  return ` ${createHash('sha256').update(text).digest('base64url')}`
}

function newState(): TargetState {
  return { pending: 0, failures: 0, ejectedAt: 0, ejectedUntil: 0, isDown: false, contrary: 0, turn: 0 }
}
