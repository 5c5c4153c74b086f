import { isPlain, type Plain, scalarText } from '../../base/json/storable.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import { UpstreamSpec } from '../../model/api/upstream.ts'
import { listIn, oddLists, POOL_MEMBERS, SERVICE_MEMBERS, TARGET_MEMBERS, unknownMembers } from './members.ts'

/** Where the calls of a service go. */
export interface MadeUpstream {
  /** Null where the service cannot be forwarded. */
  readonly spec: Plain | null
  /** Why it is not published; or, without a spec, why it is left out. */
  readonly reasons: readonly string[]
  /** What is different here and endangers nothing. */
  readonly notes: readonly string[]
}

/** Port of a target that names none, in Kong. */
const TARGET_PORT = 8000
/** Milliseconds that Kong waits where nothing else is said. */
const TIMEOUT_MS = 60_000
const WEIGHT_MAX = 1000

/** The upstream of a service. @param pools entities `upstreams` by name */
export function upstreamOf(service: Plain, pools: ReadonlyMap<unknown, Plain>): MadeUpstream {
  const url = urlOf(service)
  if (url === null) return { spec: null, reasons: ['it has no http:// or https:// URL'], notes: [] }
  const reasons: string[] = []
  const notes: string[] = []
  const unknown = unknownMembers(service, SERVICE_MEMBERS)
  if (unknown.length > 0) reasons.push(`${unknown.join(', ')} is not carried over`)
  if (url.protocol === 'https:' && service['tls_verify'] === false)
    notes.push('Postern verifies the certificates of its upstream')
  const path = withoutEndSlashes(url.pathname)
  const pool = pools.get(url.hostname)
  const { targets, ...balance } =
    pool === undefined
      ? { targets: [{ url: `${url.origin}${path}` }] }
      : poolOf(pool, url.protocol, path, reasons, notes)
  if (targets.length === 0) return { spec: null, reasons: ['its upstream has no target in use'], notes }
  const ms = (member: string): Plain => {
    const value = service[member]
    return typeof value === 'number' && value >= 1 && value !== TIMEOUT_MS
      ? { [member]: `${Math.floor(value)}ms` }
      : {}
  }
  const { connect_timeout: connect } = ms('connect_timeout')
  const { read_timeout: read } = ms('read_timeout')
  if (Object.keys(ms('write_timeout')).length > 0) notes.push('write_timeout is left out')
  const { retries } = service
  const isCounted = typeof retries === 'number' && retries !== 5
  if (isCounted && retries > 3) notes.push('retries are at most 3 in Postern')
  const spec = {
    targets,
    ...balance,
    ...(isCounted && retries >= 0 ? { retries: { max: Math.min(3, Math.floor(retries)) } } : {}),
    ...(connect === undefined && read === undefined
      ? {}
      : {
          timeouts: {
            ...(connect === undefined ? {} : { connect }),
            ...(read === undefined ? {} : { first_byte: read, idle: read }),
          },
        }),
  }
  const { error } = UpstreamSpec.safeParse(spec)
  if (error === undefined) return { spec, reasons, notes }
  const [issue] = error.issues
  return {
    spec: null,
    reasons: [`its upstream cannot be used: ${issue!.path.join('.')}: ${issue!.message}`],
    notes,
  }
}

function poolOf(
  pool: Plain,
  protocol: string,
  path: string,
  reasons: string[],
  notes: string[],
): Plain & { targets: Plain[] } {
  const name = scalarText(pool['name'])
  const unknown = unknownMembers(pool, POOL_MEMBERS)
  if (unknown.length > 0) reasons.push(`${unknown.join(', ')} of upstream ${name} is not carried over`)
  if (checksHealth(pool['healthchecks']))
    notes.push(
      `the health checks of upstream ${name} are left out; Postern judges servers by their responses`,
    )
  if (oddLists(pool, ['targets']).length > 0)
    reasons.push(`the targets of upstream ${name} are not a list of objects`)
  const listed = listIn(pool, 'targets')
  const heaviest = listed.reduce(
    (most, { weight }) => (typeof weight === 'number' ? Math.max(most, weight) : most),
    1,
  )
  if (heaviest > WEIGHT_MAX) notes.push(`weights of upstream ${name} are made smaller in proportion`)
  const targets = listed.flatMap((one) => {
    const { target, weight = 100 } = one
    const odd = unknownMembers(one, TARGET_MEMBERS)
    if (odd.length > 0) reasons.push(`${odd.join(', ')} of a target of upstream ${name} is not carried over`)
    const authority = scalarText(target) ?? ''
    const at = `${protocol}//${/:\d+$/.test(authority) ? authority : `${authority}:${TARGET_PORT}`}${path}`
    // Weight 0 takes a target out of service
    if (weight === 0 || weight === null) return []
    if (authority === '' || !URL.canParse(at) || typeof weight !== 'number' || weight < 1) {
      notes.push(`target ${authority} of upstream ${name} is left out`)
      return []
    }
    const share =
      heaviest > WEIGHT_MAX ? Math.max(1, Math.round((weight * WEIGHT_MAX) / heaviest)) : Math.floor(weight)
    return [{ url: at, weight: share }]
  })
  return { targets, ...balanceOf(pool, name, notes) }
}

function balanceOf(pool: Plain, name: string | undefined, notes: string[]): Plain {
  const { algorithm = 'round-robin', hash_on: on = 'none', hash_on_header: header } = pool
  if (algorithm === 'least-connections') return { balance: 'least_pending' }
  if (algorithm === 'round-robin') return {}
  if (algorithm === 'consistent-hashing' && on === 'consumer') return { balance: 'hash', hash_key: 'client' }
  if (algorithm === 'consistent-hashing' && on === 'ip') return { balance: 'hash', hash_key: 'ip' }
  if (algorithm === 'consistent-hashing' && on === 'header' && typeof header === 'string')
    return { balance: 'hash', hash_key: `header:${header}` }
  notes.push(`upstream ${name} uses its targets in turn in Postern`)
  return {}
}

/** True where active checks run, or answers are judged: all intervals and counts are 0 by default. */
function checksHealth(health: unknown): boolean {
  const holds = (value: unknown): boolean => {
    if (!isPlain(value)) return false
    return Object.entries(value).some(([name, one]) =>
      isPlain(one)
        ? holds(one)
        : typeof one === 'number' && one > 0 && /^(interval|.*failures|successes|timeouts)$/.test(name),
    )
  }
  return holds(health)
}

function urlOf(service: Plain): URL | null {
  const { url, protocol, host, port, path } = service
  const text =
    typeof url === 'string'
      ? url
      : `${scalarText(protocol ?? 'http')}://${scalarText(host)}${port == null ? '' : `:${scalarText(port)}`}${scalarText(path ?? '') ?? ''}`
  if ((url == null && typeof host !== 'string') || !URL.canParse(text)) return null
  const parsed = new URL(text)
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed : null
}
