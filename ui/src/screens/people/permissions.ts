/** Permissions of a role as a grid of resources and verbs. */

export interface PermissionGrid {
  readonly verbs: readonly string[]
  readonly rows: readonly { readonly resource: string; readonly verbs: ReadonlySet<string> }[]
}

const ORDER = ['read', 'create', 'update', 'delete', 'publish', 'test', 'rotate', 'reveal', 'use']

/** @param permissions such as `proxies:read` */
export function gridOf(permissions: readonly string[]): PermissionGrid {
  const pairs = permissions.map((permission) => permission.split(':'))
  const byResource = Map.groupBy(pairs, ([resource = '']) => resource)
  const found = new Set(pairs.map(([, verb = '']) => verb))
  const verbs = [
    ...ORDER.filter((verb) => found.has(verb)),
    ...[...found].filter((verb) => !ORDER.includes(verb)).sort(),
  ]
  const rows = [...byResource]
    .map(([resource, own]) => ({ resource, verbs: new Set(own.map(([, verb = '']) => verb)) }))
    .sort((a, b) => (a.resource < b.resource ? -1 : 1))
  return { verbs, rows }
}
