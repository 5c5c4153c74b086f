import { QueryCache, QueryClient } from '@tanstack/react-query'
import { reachNow } from '../api/reach.ts'

/** What is on a page stays there while Postern does not answer: the bar of the shell says so, and how old it is. */
export function createQueries(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError(_error, query) {
        if (query.state.data !== undefined && !reachNow().isReached)
          query.setState({ error: null, status: 'success' })
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 5000,
        retry: false,
        refetchOnWindowFocus: true,
        // The browser's own word on the network says nothing of a server on the same machine
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  })
}
