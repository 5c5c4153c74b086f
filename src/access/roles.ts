import { RESOURCE_TYPES } from '../model/common.ts'
import type { Permission, Principal, Role, Touched } from './principal.ts'

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

/**
 * The one place where permission is decided: whether any grant of the principal holds the permission for all that
 * is touched. Without `touched` the answer is coarse: whether it may do this to anything at all. A grant is a role over
 * everything, so that both answers are the same.
 */
export function permits(
  principal: Principal,
  permission: Permission,
  _touched?: readonly Touched[],
): boolean {
  return principal.grants.some((grant) => allows(grant.role, permission))
}
