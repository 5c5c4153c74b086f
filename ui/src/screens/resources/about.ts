import about from 'virtual:about'

/** What a resource is for, in a sentence; empty where the OpenAPI document has none. */
export function aboutOf(resource: string): string {
  return about[resource] ?? ''
}
