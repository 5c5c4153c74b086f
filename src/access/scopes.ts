/** OAuth scopes of management and of the MCP endpoints. */
import { PERMISSIONS } from '../model/access/access.ts'
import type { Grant, Permission } from './principal.ts'
import { allows } from './roles.ts'

/** OAuth scopes of management, from the narrowest on; each holds what those before it hold. */
export const SCOPES = ['management:read', 'management:write', 'management:admin'] as const
export type Scope = (typeof SCOPES)[number]

/** OAuth scopes of the MCP endpoints of gateway threads. Each opens one kind of capability; none includes another. */
export const MCP_SCOPES = ['mcp:tools', 'mcp:prompts', 'mcp:resources'] as const

/** What a client gets that asks for none, and what challenges name. */
export const DEFAULT_SCOPE = 'management:read management:write'

/** What a person should start with. Metadata lists these alone: some clients ask for every scope that they find there. */
export const START_SCOPES: readonly Scope[] = ['management:read', 'management:write']

/** True for a scope that is never ticked in advance on the page for consent. */
export function isTickedByHand(scope: string): boolean {
  return scope === 'management:admin'
}

/** Scopes that say nothing of management: who signed in, and that refresh tokens are wanted. */
export const OIDC_SCOPES = ['openid', 'offline_access'] as const

const READING = /:(read|verify|export)$/

/** True when a scope lets the permission through. */
function holds(scope: Scope, permission: Permission): boolean {
  if (scope === 'management:admin') return true
  return READING.test(permission) || (scope === 'management:write' && allows('modifier', permission))
}

const CEILINGS: Readonly<Record<Exclude<Scope, 'management:admin'>, readonly Grant[]>> = {
  'management:read': ceilingBy('management:read'),
  'management:write': ceilingBy('management:write'),
}

function ceilingBy(scope: Scope): readonly Grant[] {
  // The model lists permissions in their form.
  const granted = (PERMISSIONS as readonly Permission[]).filter((permission) => holds(scope, permission))
  return [{ role: { permissions: new Set(granted) } }]
}

/** The broadest of the scopes that are among the words of a text; null for none. */
export function broadestOf(text: string): Scope | null {
  const words = new Set(text.split(' '))
  return SCOPES.findLast((scope) => words.has(scope)) ?? null
}

/**
 * The scopes of a request that the resource has. A client that names none of them gets the default beside what it names: many ask for
 * what they know from elsewhere, such as the metadata of the authorization server. At management, `openid` asks who somebody is, which
 * needs no default. At an MCP endpoint a token without its scopes opens nothing, so `openid` changes nothing there.
 * @param isConsumer true for an MCP endpoint of gateway threads, false for management
 */
export function scopeAsked(text: string, isConsumer = false): string {
  const words = new Set(text.split(' '))
  const [all, otherwise] = isConsumer ? [MCP_SCOPES, MCP_SCOPES.join(' ')] : [SCOPES, DEFAULT_SCOPE]
  const known = [...all, ...OIDC_SCOPES].filter((scope) => words.has(scope))
  const saysWhat = all.some((scope) => words.has(scope)) || (!isConsumer && words.has('openid'))
  return (saysWhat ? known : [otherwise, ...known]).join(' ')
}

/** What a token with these scopes may at most do, whoever it stands for; null for everything. */
export function ceilingOf(scopes: string): readonly Grant[] | null {
  const broadest = broadestOf(scopes)
  if (broadest === null) return []
  return broadest === 'management:admin' ? null : CEILINGS[broadest]
}

/** All scopes that an operation needs beside those that are granted, as one challenge names them; the narrowest that will do. */
export function scopesFor(permission: Permission, granted: string): string {
  const needed = SCOPES.find((scope) => holds(scope, permission)) ?? 'management:admin'
  return [...new Set([...granted.split(' ').filter((word) => word !== ''), needed])].join(' ')
}
