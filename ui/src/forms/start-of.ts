import type { Json, JsonObject, OperationRow } from '../../build/document.ts'

/**
 * First values of a form, from the address of its page. Anybody can make an address, and a form shows members of the input alone: a
 * reason or a confirmation that nobody has typed is left out.
 */
export function startOf(row: OperationRow, search: Readonly<Record<string, Json>>): JsonObject {
  return Object.fromEntries(Object.entries(search).filter(([name]) => !row.options.includes(name)))
}
