import { PROBLEMS } from '../base/refusal.ts'
import type { Exchange } from './exchange.ts'
import type { KnownIdentity } from './identity.ts'
import type { Caller, Identified } from './port.ts'

/** What the door at `/mcp` is told of the caller of a message, once its checks have ended. */
export function identified(exchange: Exchange, admitted: boolean): Identified {
  if (admitted) return { ok: true, caller: callerOf(exchange) }
  const { code, facts, retryAfterMs } = exchange
  return {
    ok: false,
    code: code!,
    detail: facts.detail ?? PROBLEMS[code!].help,
    retryAfterMs: retryAfterMs === 0 ? null : retryAfterMs,
  }
}

/** The proven caller of an exchange. */
export function callerOf(exchange: Exchange): Caller {
  const { identity, ip, secure } = exchange
  const { client, profile, credentialId, subject, agentHost, claims, bearer, verified } =
    identity as KnownIdentity
  const signIn = verified?.signIn ?? identity.signIn
  const { auth, mcp_search, mcp_view } = profile.fragment
  return {
    client,
    profile: { id: profile.id, auth, mcp_search, mcp_view },
    credentialId,
    subject,
    agentHost,
    claims,
    signIn,
    // A token of Postern's own says nothing to an upstream, and is shown to none
    bearer: signIn === null ? bearer : '',
    ip,
    secure,
  }
}
