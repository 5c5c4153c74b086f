import { toMs } from '../base/duration.ts'
import { type ProxyTimeouts, Upstream } from '../model/upstream.ts'
import type { TargetFragment, TimeoutsFragment, UpstreamFragment, UpstreamRules } from './fragments.ts'

/** The fragment of an upstream as it was stored, by this version or an earlier one. */
export function compileUpstream(stored: Upstream): UpstreamFragment {
  // What earlier versions stored lacks the newer members
  const upstream = Upstream.parse(stored)
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
  }
}

function toTarget({ url: text, weight }: Upstream['targets'][number]): TargetFragment {
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

function toRules({ balance, hash_key, retries, health, breaker }: Upstream): UpstreamRules {
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

export function compileTimeouts({ connect, first_byte, idle }: ProxyTimeouts): TimeoutsFragment {
  return {
    ...(connect === undefined ? {} : { connect_ms: toMs(connect) }),
    ...(first_byte === undefined ? {} : { first_byte_ms: toMs(first_byte) }),
    ...(idle === undefined ? {} : { idle_ms: toMs(idle) }),
  }
}
