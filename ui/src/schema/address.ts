import type { JsonObject } from '../../build/document.ts'

/** The member that names the parent, of resources whose slugs are unique only below it. */
const PARENTS: Readonly<Record<string, string>> = {
  proxies: 'collection',
  profiles: 'client',
  bindings: 'host',
}

/** The name of a resource in URLs and commands: its slug, or `parent:slug`, or its id if it has no slug. */
export function addressOf(resource: string, value: JsonObject): string {
  const slug = String(value['slug'] ?? value['id'])
  const parent = value[PARENTS[resource] ?? '']
  return typeof parent === 'string' ? `${parent}:${slug}` : slug
}
