import rows from 'virtual:operations'
import type { OperationRow } from '../../build/document.ts'
import type { OperationName } from './client.ts'

export type { OperationRow }

/** Row of an operation, or null if the server has no such operation. */
export function operation(name: string): OperationRow | null {
  return rows[name] ?? null
}

/** Rows of the operations of a resource, by action. */
export function operationsOf(resource: string): readonly OperationRow[] {
  return Object.values(rows).filter((row) => row.resource === resource)
}

export function nameOf(row: OperationRow): OperationName {
  // Rows and types are printed from the same document
  return `${row.resource}.${row.action}` as OperationName
}

export const ALL_OPERATIONS: readonly OperationRow[] = Object.values(rows)
