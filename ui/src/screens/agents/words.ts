import type { JsonObject } from '../../../build/document.ts'
import type { State } from '../../kit/status.tsx'

/** What kind of application a host is. @param software as the host has it */
export function kindOfHost(software: unknown): string {
  if (typeof software !== 'string') return 'An agent that calls with the tokens of its bindings'
  if (software.startsWith('service:')) return 'A service identity'
  if (software.startsWith('registered:')) return 'An application that registered itself'
  return 'An application with a client metadata document'
}

type TokenState = 'none' | 'valid' | 'expiring_soon' | 'expired' | 'revoked'

const TOKENS: Readonly<Record<TokenState, { readonly state: State; readonly words: string }>> = {
  none: { state: 'off', words: 'No token' },
  valid: { state: 'ok', words: 'Valid' },
  expiring_soon: { state: 'warn', words: 'Expires soon' },
  expired: { state: 'bad', words: 'Expired' },
  revoked: { state: 'blocked', words: 'Revoked' },
}

/** The state of the token of a binding, in words. */
export function tokenWords(state: unknown): { readonly state: State; readonly words: string } {
  return TOKENS[state as TokenState] ?? TOKENS.none
}

/** True while the token of a binding opens something. */
export function isTokenLive(state: unknown): boolean {
  return state === 'valid' || state === 'expiring_soon'
}

/** What a binding allows, in a sentence. @param binding as `bindings.get` answers it */
export function bindingSentence(binding: JsonObject): string {
  const { host, virtual_mcp: opened, user } = binding
  const actsFor = binding['acts_for'] as {
    readonly users?: readonly string[]
    readonly teams?: readonly string[]
  } | null
  if (typeof user === 'string') return `${host} calls ${opened} for ${user}, with a token of its own.`
  if (actsFor == null) return `${host} calls ${opened} for itself, with a token of its own.`
  const people = [...(actsFor.users ?? []), ...(actsFor.teams ?? []).map((team) => `members of ${team}`)]
  if (people.length === 0) return `${host} does not call ${opened} for anyone yet.`
  return `${host} calls ${opened} for ${people.join(', ')}, each time with a token that it exchanges for one of theirs.`
}

interface Call {
  readonly user: string | null
  readonly user_slug: string | null
  readonly time: string
}

/** The people among calls, each with the last call. @param calls newest first */
export function peopleOf(calls: readonly Call[]): { id: string; name: string; time: string }[] {
  const found = new Map<string, { id: string; name: string; time: string }>()
  for (const { user, user_slug, time } of calls)
    if (user !== null && !found.has(user)) found.set(user, { id: user, name: user_slug ?? user, time })
  return [...found.values()]
}
