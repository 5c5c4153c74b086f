import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query'
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
