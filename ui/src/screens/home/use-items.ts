import { useQuery } from '@tanstack/react-query'
import {
  client,
  type Fault,
  faultOf,
  type Input,
  type OperationName,
  type Output,
  useMay,
} from '../../api/client.ts'

/** Figures and lists are fetched anew this often, milliseconds. */
export const AGAIN_MS = 15_000

type ListName = Extract<
  OperationName,
  | 'access_requests.list'
  | 'change_requests.list'
  | 'collections.list'
  | 'credentials.stale'
  | 'profiles.list'
  | 'records.list'
  | 'virtual_mcps.drifted'
>
type Item<N extends ListName> = Output<N>['items'][number]

export interface Items<T> {
  /** Null if the person may not see the list. */
  readonly items: readonly T[] | null
  readonly isLoading: boolean
  /** Why there is no answer; null if there is one. */
  readonly fault: Fault | null
  readonly retry: () => void
}

/** The latest items of a list. It is asked for only if `isAsked`. */
export function useItems<N extends ListName>(name: N, input: Input<N>, isAsked = true): Items<Item<N>> {
  const may = useMay()
  const query = useQuery({
    queryKey: [name, 'home', input],
    queryFn: async () => {
      const { body } = await client.call(name as OperationName, input as Input<OperationName>)
      return (body as unknown as { readonly items: readonly Item<N>[] }).items
    },
    enabled: isAsked && may(name),
    refetchInterval: AGAIN_MS,
  })
  return {
    items: may(name) ? (query.data ?? []) : null,
    isLoading: query.isLoading,
    fault: query.error === null ? null : faultOf(query.error),
    retry: () => void query.refetch(),
  }
}
