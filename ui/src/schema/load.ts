import loaders from 'virtual:schemas'
import { useQuery } from '@tanstack/react-query'
import type { ResourceSchemas } from '../../build/document.ts'

/** Schemas of a resource, loaded once; undefined while they load, null if there is no such resource. */
export function useSchemas(resource: string): ResourceSchemas | null | undefined {
  return useQuery({
    queryKey: ['schemas', resource],
    queryFn: async () => (await loaders[resource]?.())?.default ?? null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  }).data
}
