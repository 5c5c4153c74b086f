import rows from 'virtual:operations'
import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { OperationRow } from '../../build/document.ts'
import { client, type Input, type OperationName, type Output } from './client.ts'
import { useMay } from './session.ts'

interface CallOptions {
  readonly enabled?: boolean
  /** Milliseconds after which the operation is called again. */
  readonly again?: number
  /** The answer to the input before is shown until the next one is there. */
  readonly isKept?: boolean
}

/** Calls an operation that only reads, unless the person may not call it. The answer is kept by name and input. */
export function useCall<N extends OperationName>(
  name: N,
  input: Input<N>,
  { enabled = true, again, isKept = false }: CallOptions = {},
): UseQueryResult<Output<N>> {
  const may = useMay()
  return useQuery<Output<N>>({
    queryKey: [name, input],
    queryFn: async ({ signal }) => (await client.call(name, input, { signal })).body,
    enabled: enabled && may(name),
    ...(again !== undefined && { refetchInterval: again }),
    ...(isKept && { placeholderData: keepPreviousData as never }),
  })
}

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
