import { useSyncExternalStore } from 'react'

const NARROW = matchMedia('(max-width: 639px)')

/** True on a screen of a phone, where tables are cards and drawers are pages. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (tell) => {
      NARROW.addEventListener('change', tell)
      return () => NARROW.removeEventListener('change', tell)
    },
    () => NARROW.matches,
  )
}
