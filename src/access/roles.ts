/**
 * Roles and permissions. No principal can grant a permission that it lacks. A token with a custom role has the permissions
 * that the role had when the token was made and still has: a change of the role never extends a token.
 */
import { PERMISSIONS } from '../model/access/access.ts'
import { RESOURCE_TYPES } from '../model/resource-types.ts'
import type { Part } from '../store/ports/config.ts'
import type { CustomRole, Grant, Permission, Principal, Role, Scope, Touched } from './principal.ts'

const each = (...verbs: readonly string[]): Permission[] =>
  RESOURCE_TYPES.flatMap((type) => verbs.map((verb): Permission => `${type}:${verb}`))

const VIEWER: readonly Permission[] = [
  ...each('read'),
  'config:read',
  'audit:read',
  'records:read',
  'records:export',
  'metrics:read',
]

/** What each role may do. An admin may do everything. */
const BUILT_IN: Readonly<Record<Exclude<Role, 'admin'>, ReadonlySet<Permission>>> = {
  viewer: new Set(VIEWER),
  modifier: new Set([
    ...VIEWER,
    ...each('create', 'update', 'delete'),
    'config:update',
    'collections:publish',
    'proxies:publish',
    'proxies:test',
    'workflows:test',
    'profiles:rotate',
    'credentials:use',
    'credentials:test',
    'credentials:rotate',
    'origins:test',
    'virtual_mcps:publish',
  ]),
  auditor: new Set<Permission>([
    'audit:read',
    'audit:verify',
    'audit:export',
    'records:read',
    'records:read_body',
    'records:export',
  ]),
}

/** True when the role holds the permission. */
export function allows(role: Role | CustomRole, permission: Permission): boolean {
  if (typeof role === 'object') return role.permissions.has(permission)
  return role === 'admin' || BUILT_IN[role].has(permission)
}

/** All that a role holds. */
function permissionsOf(role: Role | CustomRole): readonly Permission[] {
  // The model lists permissions in their form.
  return (PERMISSIONS as readonly Permission[]).filter((permission) => allows(role, permission))
}

/** What is of no collection and no virtual MCP, and has no tags, such as the keys of the vault. */
export const UNPLACED: Touched = { collection: null, tags: [] }

/**
 * The one place where permission is decided: whether any grant of the principal holds the permission for what is
 * touched. Without `touched` the answer is coarse: whether it may do this to anything at all.
 */
export function permits(
  principal: Pick<Principal, 'grants'>,
  permission: Permission,
  touched?: Touched,
): boolean {
  return principal.grants.some(
    ({ role, scope }) =>
      allows(role, permission) &&
      (scope === undefined ||
        (isAbout(scope, permission) && (touched === undefined || isWithin(scope, touched)))),
  )
}

/** True when any grant holds the permission, whatever types of resources it is narrowed to. */
export function permitsForSome(principal: Pick<Principal, 'grants'>, permission: Permission): boolean {
  return principal.grants.some(
    ({ role, scope }) =>
      allows(role, permission) && (scope === undefined || isAbout({ ...scope, types: [] }, permission)),
  )
}

/**
 * For what a principal holds the permission: null for everything, else the parts of which a resource must be in one.
 * Agrees with {@link permits}.
 */
export function partsOf(
  principal: Pick<Principal, 'grants'>,
  permission: Permission,
): readonly Part[] | null {
  const parts: Part[] = []
  for (const { role, scope } of principal.grants) {
    if (!allows(role, permission)) continue
    if (scope === undefined) return null
    if (!isAbout(scope, permission)) continue
    if (scope.collections.length === 0 && scope.tags.length === 0) return null
    parts.push(scope)
  }
  return parts
}

function isAbout({ types, verbs }: Scope, permission: Permission): boolean {
  const type = typeIn(permission)
  if (types.length > 0 && !types.includes(type)) return false
  return verbs.length === 0 || verbs.includes(permission.slice(type.length + 1))
}

/** What a permission is about: a type of resources, or `keys`, `records`, `settings` and the like. */
export function typeIn(permission: Permission): string {
  return permission.slice(0, permission.indexOf(':'))
}

/**
 * A permission of a grant that the principal does not hold over all of its scope: nobody grants what they lack. Null
 * when there is none.
 */
export function missingOf(principal: Pick<Principal, 'grants'>, { role, scope }: Grant): Permission | null {
  for (const permission of permissionsOf(role)) {
    if (scope !== undefined && !isAbout(scope, permission)) continue
    const parts = partsOf(principal, permission)
    if (parts !== null && !parts.some((part) => holds(part, scope ?? NOTHING_NAMED))) return permission
  }
  return null
}

const NOTHING_NAMED: Part = { collections: [], tags: [] }

/** True when all that lies within one part lies within the other. */
function holds(outer: Part, inner: Part): boolean {
  const narrower = (wide: readonly string[], list: readonly string[]): boolean =>
    wide.length === 0 || (list.length > 0 && list.every((one) => wide.includes(one)))
  return narrower(outer.collections, inner.collections) && narrower(outer.tags, inner.tags)
}

/**
 * What both allow. Where two lists of tags meet, their common tags remain: less than what has a tag of each, so that it
 * stays one grant.
 */
export function intersect(grants: readonly Grant[], ceiling: readonly Grant[]): Grant[] {
  return grants.flatMap((one) => ceiling.flatMap((other) => meet(one, other) ?? []))
}

function meet(one: Grant, other: Grant): Grant | null {
  const role = meetRoles(one.role, other.role)
  if (role === null) return null
  if (one.scope === undefined || other.scope === undefined) {
    const scope = one.scope ?? other.scope
    return scope === undefined ? { role } : { role, scope }
  }
  const types = meetLists(one.scope.types, other.scope.types)
  const verbs = meetLists(one.scope.verbs, other.scope.verbs)
  const collections = meetLists(one.scope.collections, other.scope.collections)
  const tags = meetLists(one.scope.tags, other.scope.tags)
  if (types === null || verbs === null || collections === null || tags === null) return null
  return { role, scope: { types, verbs, collections, tags } }
}

function meetRoles(one: Role | CustomRole, other: Role | CustomRole): Role | CustomRole | null {
  if (one === other || other === 'admin') return one
  if (one === 'admin') return other
  const permissions = permissionsOf(one).filter((permission) => allows(other, permission))
  return permissions.length === 0 ? null : { permissions: new Set<string>(permissions) }
}

/** Null when nothing is left of two lists that both narrow: an empty one would narrow nothing. */
function meetLists(one: readonly string[], other: readonly string[]): readonly string[] | null {
  if (one.length === 0) return other
  if (other.length === 0) return one
  const both = one.filter((name) => other.includes(name))
  return both.length === 0 ? null : both
}

/** True when all lists of the part that are not empty hold what is touched. */
export function isWithin({ collections, tags }: Part, touched: Touched): boolean {
  const { collection } = touched
  if (collections.length > 0 && (collection === null || !collections.includes(collection))) return false
  return tags.length === 0 || touched.tags.some((tag) => tags.includes(tag))
}
