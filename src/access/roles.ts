import { RESOURCE_TYPES } from '../model/common.ts'
import type { Part } from '../store/ports/config.ts'
import type { Permission, Principal, Role, Scope, Touched } from './principal.ts'

const each = (...verbs: readonly string[]): Permission[] =>
  RESOURCE_TYPES.flatMap((type) => verbs.map((verb): Permission => `${type}:${verb}`))

const VIEWER: readonly Permission[] = [...each('read'), 'audit:read', 'records:read']

/** What each role may do. An admin may do everything. */
const PERMISSIONS: Readonly<Record<Exclude<Role, 'admin'>, ReadonlySet<Permission>>> = {
  viewer: new Set(VIEWER),
  modifier: new Set([
    ...VIEWER,
    ...each('create', 'update', 'delete'),
    'collections:publish',
    'proxies:publish',
    'profiles:rotate',
    'credentials:use',
    'credentials:test',
    'credentials:rotate',
  ]),
  auditor: new Set<Permission>(['audit:read', 'records:read']),
}

/** True when the role holds the permission. */
export function allows(role: Role, permission: Permission): boolean {
  return role === 'admin' || PERMISSIONS[role].has(permission)
}

/** What belongs to no collection and has no tags, such as the keys of the vault. */
export const EVERYTHING: Touched = { collection: null, tags: [] }

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
        (isOfType(scope, permission) && (touched === undefined || isWithin(scope, touched)))),
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
    if (!isOfType(scope, permission)) continue
    if (scope.collections.length === 0 && scope.tags.length === 0) return null
    parts.push(scope)
  }
  return parts
}

function isOfType({ types }: Scope, permission: Permission): boolean {
  return types.length === 0 || types.includes(permission.slice(0, permission.indexOf(':')))
}

/** True when all lists of the part that are not empty hold what is touched. */
export function isWithin({ collections, tags }: Part, touched: Touched): boolean {
  const { collection } = touched
  if (collections.length > 0 && (collection === null || !collections.includes(collection))) return false
  return tags.length === 0 || touched.tags.some((tag) => tags.includes(tag))
}
