/** Compiles upstreams and their timeouts. */
import { toMs } from '../../base/clock.ts'
import { type ProxyTimeouts, UpstreamSpec } from '../../model/api/upstream.ts'
import type { TargetFragment, TimeoutsFragment, UpstreamFragment, UpstreamRules } from '../fragments.ts'

/** The fragment of an upstream as it was stored, by this version or an earlier one. */
export function compileUpstream(stored: UpstreamSpec): UpstreamFragment {
  // What earlier versions stored lacks the newer members
  const upstream = UpstreamSpec.parse(stored)
  const [first, ...others] = upstream.targets.map(toTarget)
  const { timeouts, host_header, pool_max } = upstream
  return {
    ...first!,
    ...(others.length === 0 ? {} : { others }),
    rules: toRules(upstream),
    host_header,
    connect_ms: toMs(timeouts.connect),
    first_byte_ms: toMs(timeouts.first_byte),
    idle_ms: toMs(timeouts.idle),
    pool_max,
    ...compileTls(upstream.tls),
  }
}

/** Nothing for what is the default. */
function compileTls(tls: UpstreamSpec['tls']): Pick<UpstreamFragment, 'tls'> {
  if (tls === null) return {}
  const { ca, server_name, min_version, verify } = tls
  const compiled = {
    ...(ca === null ? {} : { ca }),
    ...(server_name === null ? {} : { server_name }),
    ...(min_version === '1.2' ? {} : { min_version }),
    ...(verify ? {} : { verify }),
  }
  return Object.keys(compiled).length === 0 ? {} : { tls: compiled }
}

function toTarget({ url: text, weight }: UpstreamSpec['targets'][number]): TargetFragment {
  const url = new URL(text)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
    path: url.pathname.replace(/\/+$/, ''),
    authority: url.host,
    ...(weight === 1 ? {} : { weight }),
  }
}

function toRules({ balance, hash_key, retries, health, breaker }: UpstreamSpec): UpstreamRules {
  const { passive, active } = health
  return {
    balance,
    hash_key: hash_key.toLowerCase(),
    retries: retries.max,
    eject_after: passive === null ? 0 : passive.failures,
    eject_ms: passive === null ? 0 : toMs(passive.eject),
    active: active && {
      path: active.path,
      interval_ms: toMs(active.interval),
      timeout_ms: toMs(active.timeout),
      failures: active.failures,
      successes: active.successes,
    },
    breaker: breaker && {
      errors_percent: breaker.errors,
      requests: breaker.requests,
      window_ms: toMs(breaker.window),
      open_ms: toMs(breaker.open),
    },
  }
}

/** In milliseconds; those that a proxy leaves to its collection are absent. */
export function compileTimeouts({ connect, first_byte, idle }: ProxyTimeouts): TimeoutsFragment {
  return {
    ...(connect === undefined ? {} : { connect_ms: toMs(connect) }),
    ...(first_byte === undefined ? {} : { first_byte_ms: toMs(first_byte) }),
    ...(idle === undefined ? {} : { idle_ms: toMs(idle) }),
  }
}
