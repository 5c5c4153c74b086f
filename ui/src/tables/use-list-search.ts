import { useNavigate, useSearch } from '@tanstack/react-router'
import type { Search } from '../app/search.ts'

/** Sets parameters of the address; undefined takes one away. */
export type Change = (changes: Readonly<Record<string, string | readonly string[] | undefined>>) => void

/** What a list shows, as its address has it. A typed text replaces the entry of the browser's history, other changes add one. */
export function useListSearch(): { readonly search: Search; readonly change: Change } {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const change: Change = (changes) => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: 'text' in changes }).catch(
      () => {},
    )
  }
  return { search, change }
}
