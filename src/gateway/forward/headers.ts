import { twinOf } from '../../model/http-names.ts'
import type { NameSet } from '../../snapshot/linked/collection.ts'
import { keepsByAddress } from '../cache/cache-rules.ts'
import type { Routed } from '../exchange.ts'
import { FIELD_RULES } from '../fields.ts'
import { runnerLines } from './runner-lines.ts'
import { traceParentOf } from './trace.ts'

/** Names that never stand in what a caller passes on. */
const LIFTED: ReadonlySet<string> = new Set(FIELD_RULES.take)

/**
 * Header lines for the upstream, each source giving way to the next: the caller's, those of the gateway, configured
 * ones (proxy before collection), the credential.
 * @param host what the caller asked for; empty when that is not known.
 */
export function headerLines(exchange: Routed, pass: string, host: string): string {
  const { text, names } = exchange.proxy.headers
  const { credential } = exchange
  const name = credential === null ? '' : credential.name
  const sent = LIFTED.has(name) ? '' : name
  const kept = names.lengths === 0 && sent === '' ? pass : withoutNamed(pass, names, sent)
  const configured = name !== '' && names.names.has(name) ? linesBut(exchange, name) : text
  return (
    kept +
    configured +
    (credential === null ? '' : credential.line) +
    exchange.identity.profile.identityLines +
    (exchange.identity.subject === '' ? '' : subjectLine(exchange)) +
    (exchange.collection.attachment === 'collection'
      ? tracedLines(exchange, host)
      : ownTraceLines(exchange) + runnerLines(exchange))
  )
}

function tracedLines(exchange: Routed, host: string): string {
  return (
    `X-Request-ID: ${exchange.requestId}\r\ntraceparent: ${traceParentOf(exchange)}\r\n${sendsAddress(exchange) ? `X-Forwarded-For: ${exchange.ip}\r\n` : ''}X-Forwarded-Proto: ${exchange.secure ? 'https' : 'http'}\r\n` +
    (exchange.traceState === '' ? '' : `tracestate: ${exchange.traceState}\r\n`) +
    (host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`)
  )
}

/** An origin, or the server of a node, need not know from where callers come. */
function ownTraceLines(exchange: Routed): string {
  const { requestId, traceState } = exchange
  const state = traceState === '' ? '' : `tracestate: ${traceState}\r\n`
  return `X-Request-ID: ${requestId}\r\ntraceparent: ${traceParentOf(exchange)}\r\n${state}`
}

/** An answer that others may get must not depend on the address of one caller. */
function sendsAddress({ cacheKey, proxy }: Routed): boolean {
  return cacheKey === '' || keepsByAddress(proxy.fragment.features!.cache!)
}

/** Whom the token of the caller names, for upstreams that are told who calls. */
function subjectLine({ identity: { profile, subject } }: Routed): string {
  if (!profile.fragment.forward_identity) return ''
  // Percent-encoded (RFC 3986 section 2.1) unless it is visible ASCII without a percent sign.
  const plain = /^[!-$&-~]+$/.test(subject)
  return `X-Postern-Subject: ${plain ? subject : encodeURIComponent(subject)}\r\n`
}

function linesBut(exchange: Routed, name: string): string {
  let text = ''
  for (const header of exchange.proxy.headers.lines) if (header.name !== name) text += header.line
  return text
}

/**
 * The block without lines of these names and their twins (`X_Tenant` for `X-Tenant`). Most blocks have none of them and come back as
 * they are.
 */
function withoutNamed(pass: string, { names, twins, spared, lengths }: NameSet, name: string): string {
  const wanted = lengths | (name === '' ? 0 : 1 << (name.length & 31))
  let kept = ''
  let from = 0
  let at = 0
  while (at < pass.length) {
    const colon = pass.indexOf(':', at)
    const end = pass.indexOf('\r\n', colon) + 2
    if ((wanted & (1 << ((colon - at) & 31))) !== 0) {
      const lower = pass.slice(at, colon).toLowerCase()
      if (lower === name || names.has(lower) || isTwin(lower, twins, spared, name)) {
        kept += pass.slice(from, at)
        from = end
      }
    }
    at = end
  }
  return from === 0 ? pass : kept + pass.slice(from)
}

/** Only a name of the same length comes here. */
function isTwin(
  lower: string,
  twins: ReadonlySet<string>,
  spared: ReadonlySet<string>,
  name: string,
): boolean {
  const twin = twinOf(lower)
  return (twins.has(twin) || (name !== '' && twin === twinOf(name))) && !spared.has(lower)
}
