/** Actions that change what the documents say. */
export const NOT_IF_MANAGED: readonly string[] = [
  'publish',
  'toggle',
  'reimport',
  'enforce',
  'assignments',
  'assign',
  'unassign',
  'set_workflow',
]

/** The set of documents that manages a resource; null if people manage it. */
export function setOf(managedBy: unknown): string | null {
  return typeof managedBy === 'string' ? managedBy : null
}
