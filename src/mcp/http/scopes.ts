/** Scopes at MCP endpoints: the challenges that name them, and the check of a request against the scopes of its token. */
import { createChallenge } from '../../base/http/origins.ts'
import { errorAnswer, type McpAnswer, RPC, withHeaders } from '../protocol/answer.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import { wantedOf } from '../protocol/subscription.ts'
import type { Sender } from './message.ts'

/** What a client asks for that knows no more: all kinds of capabilities. The person may leave some out. */
const ALL_SCOPES = 'mcp:tools mcp:prompts mcp:resources'

/** Scope by the first part of a method. A task is the work of a tool. */
const BY_FAMILY: ReadonlyMap<string, string> = new Map([
  ['tools', 'mcp:tools'],
  ['tasks', 'mcp:tools'],
  ['prompts', 'mcp:prompts'],
  ['resources', 'mcp:resources'],
])

/** The scopes that a request needs; none for one that anybody with a token may make. */
function scopesFor(method: string, params: Members): readonly string[] {
  const family = method.slice(0, Math.max(0, method.indexOf('/')))
  if (family === 'subscriptions') return watchedScopes(params)
  if (family !== 'completion') return [BY_FAMILY.get(family) ?? []].flat()
  const { ref } = params
  return [isMembers(ref) && ref['type'] === 'ref/prompt' ? 'mcp:prompts' : 'mcp:resources']
}

/** Changes are told of what the caller may list. */
function watchedScopes(params: Members): readonly string[] {
  const { tools, prompts, resources, uris } = wantedOf(params)
  return [
    ...(tools ? ['mcp:tools'] : []),
    ...(prompts ? ['mcp:prompts'] : []),
    ...(resources || uris.size > 0 ? ['mcp:resources'] : []),
  ]
}

/** Challenges of the MCP endpoints, each for the resource of its own path (RFC 9728 section 5.1). */
export type Challenges = (path: string) => ReturnType<typeof createChallenge>

/** Paths whose challenges are kept. */
const PATHS_MAX = 1000

/** @param origin by which the gateway listener is reached */
export function createChallenges(origin: string): Challenges {
  const made = new Map<string, ReturnType<typeof createChallenge>>()
  return (path) => {
    let challenge = made.get(path)
    if (challenge === undefined) {
      challenge = createChallenge([origin], path, ALL_SCOPES)
      if (made.size >= PATHS_MAX) made.clear()
      made.set(path, challenge)
    }
    return challenge
  }
}

/**
 * Refuses a request that the token of a person does not cover, with all scopes that the person should be asked for (MCP 2026-07-28,
 * authorization: step-up); null for one that it covers, and for callers who did not sign in.
 */
export function createScopeCheck(
  challenges: Challenges,
): (sender: Sender, method: string, params: Members, id: RpcId) => McpAnswer | null {
  return ({ caller: { signIn }, incoming: { host, path } }, method, params, id) => {
    if (signIn === null) return null
    const needed = scopesFor(method, params).filter((scope) => !signIn.scopes.has(scope))
    if (needed.length === 0) return null
    const code = 'insufficient_scope'
    const detail = `The token lacks the scope ${needed.join(' ')}. Sign in again and allow it.`
    const all = [...signIn.scopes, ...needed].join(' ')
    const answer = withHeaders(errorAnswer(403, id, RPC.invalidRequest, detail), {
      'www-authenticate': challenges(path)(host, code, all, detail),
    })
    return { ...answer, refusal: code }
  }
}
