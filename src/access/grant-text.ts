/** Grants in their compact text form. */
import { refuse } from '../base/refusal.ts'
import { ROLES, SCOPE_TYPES } from '../model/access/access.ts'
import { Slug } from '../model/members.ts'
import type { Role, Scope } from './principal.ts'

/** A grant as people write it: collections and virtual MCPs are slugs or ids, and so is a role that was made here. */
export interface WrittenGrant extends Scope {
  readonly role: string
  readonly virtualMcps: readonly string[]
}

/** Stands before the name of a virtual MCP. */
const MCP = 'mcp:'

/**
 * Reads the compact form of a grant: a role, after `:` the resource types and after `@` the collections, `mcp:…` (virtual
 * MCPs) or `tag:…` that it is narrowed to, each separated by commas: `modifier:proxies@payments`, `modifier@mcp:desk`,
 * `viewer@tag:partner`.
 * Refuses with input_invalid at `pointer`.
 */
export function readGrant(text: string, pointer: string): WrittenGrant {
  const grant = parseGrant(text)
  if (typeof grant !== 'string') return grant
  throw refuse('input_invalid', {
    detail: `"${text}" is not a valid grant: ${grant}.`,
    errors: [{ pointer, reason: grant }],
  })
}

/** As {@link readGrant}; the reason when the text is no grant. */
export function parseGrant(text: string): WrittenGrant | string {
  const [what = '', where, ...more] = text.split('@')
  const [name, some, ...rest] = what.split(':')
  if (more.length > 0 || rest.length > 0) return 'the form is role:types@collections'
  const role = name ?? ''
  if (!isBuiltIn(role) && !Slug.safeParse(role).success && !/^rol_[0-9a-z]{26}$/.test(role))
    return `the role must be one of ${ROLES.join(', ')}, or the slug of a custom role`
  const types = some === undefined ? [] : some.split(',')
  if (!types.every((type) => SCOPE_TYPES.some((known) => known === type)))
    return `after the colon, name one or more types: ${SCOPE_TYPES.join(', ')}`
  const places = where === undefined ? [] : where.split(',')
  const tags = places.filter((place) => place.startsWith('tag:')).map((place) => place.slice(4))
  const virtualMcps = places.filter((place) => place.startsWith(MCP)).map((place) => place.slice(MCP.length))
  const collections = places.filter((place) => !place.startsWith('tag:') && !place.startsWith(MCP))
  if (!tags.every((tag) => Slug.safeParse(tag).success)) return 'name a tag after tag:'
  if (virtualMcps.includes('')) return 'name a virtual MCP after mcp:'
  if (collections.includes(''))
    return 'after the @, name collections, mcp: and a virtual MCP, or tag: and a tag'
  return { role, types, verbs: [], collections, virtualMcps, tags }
}

/** True for a role that is always there. */
export function isBuiltIn(role: string): role is Role {
  return ROLES.some((one) => one === role)
}

/** True for the id of a virtual MCP among those that a scope is narrowed to. */
export function isVirtualMcp(id: string): boolean {
  return id.startsWith('vmc_')
}

/** The inverse of {@link readGrant}, for showing; verbs have no place in it. @param slugs of collections, virtual MCPs and roles, by id */
export function writeGrant(
  role: string,
  scope: Scope | undefined,
  slugs: ReadonlyMap<string, string>,
): string {
  const types = (scope?.types ?? []).join(',')
  const places = [
    ...(scope?.collections ?? []).map((id) => `${isVirtualMcp(id) ? MCP : ''}${slugs.get(id) ?? id}`),
    ...(scope?.tags ?? []).map((tag) => `tag:${tag}`),
  ].join(',')
  return `${slugs.get(role) ?? role}${types === '' ? '' : `:${types}`}${places === '' ? '' : `@${places}`}`
}
