/**
 * Actions on a resource: their names, where the console does not show the summary of the API, what their buttons decide, and which
 * of them the documents take away.
 */
import type { Json, JsonObject } from '../../build/document.ts'
import type { OperationRow } from '../api/client.ts'

/** Name of the button that runs an operation on a resource. */
export function wordOf({ action }: Pick<OperationRow, 'action'>, value: JsonObject): string {
  if (action === 'toggle') return value['active'] === false ? 'Activate' : 'Deactivate'
  if (action === 'publish' && value['status'] === 'published' && value['pending_draft'] === undefined)
    return 'Unpublish'
  // Its own word is that of the import of a description
  if (action === 'import') return 'Import token'
  const words = action.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** What the button of a state has decided: the input that leads to the state of its name; null: the person decides in a form. */
export function decidedBy({ action }: Pick<OperationRow, 'action'>, value: JsonObject): JsonObject | null {
  if (action === 'toggle') return { active: value['active'] === false }
  if (action !== 'publish') return null
  return { status: wordOf({ action }, value) === 'Publish' ? 'published' : 'draft' }
}

/** What an action does to callers, where its name does not say it; otherwise null. */
export function effectOf(row: Pick<OperationRow, 'action' | 'resource'>, value: JsonObject): string | null {
  if (row.action !== 'publish') return null
  if (wordOf(row, value) === 'Unpublish') return 'Callers can no longer reach it.'
  if (value['pending_draft'] !== undefined) return 'Callers get the draft at once.'
  return row.resource === 'proxies'
    ? 'Callers can reach it at once, if its collection is published.'
    : 'Callers can reach it at once.'
}

/** Name of a resource for people. */
export function nameOfItem(value: JsonObject, slug: string): string {
  return String(value['name'] ?? value['title'] ?? value['email'] ?? value['slug'] ?? slug)
}

/** `Delete Gold`, `Issue token: Support bot`. */
export function runTitleOf(row: Pick<OperationRow, 'action'>, value: JsonObject, slug: string): string {
  const word = wordOf(row, value)
  const isVerb = !word.includes(' ') && word !== 'Assignments'
  return `${word}${isVerb ? '' : ':'} ${nameOfItem(value, slug)}`
}

/** The summary of an operation as a sentence, without what only programs need to know: the form asks for the confirmation. */
export function sentenceOf(summary: string): string {
  return `${summary.replace(/[;,] (?:needs|requires) confirm\b[^.;]*/, '').replace(/, with status or active$/, '')}.`
}

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

/**
 * First values of a form, from the address of its page. Anybody can make an address, and a form shows members of the input alone: a
 * reason or a confirmation that nobody has typed is left out.
 */
export function startOf(row: OperationRow, search: Readonly<Record<string, Json>>): JsonObject {
  return Object.fromEntries(Object.entries(search).filter(([name]) => !row.options.includes(name)))
}
