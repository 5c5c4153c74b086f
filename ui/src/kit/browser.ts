/** What the console asks the browser for: the kind of the screen, and downloads. */
import { useSyncExternalStore } from 'react'

const NARROW = matchMedia('(max-width: 639px)')
const TOUCH = matchMedia('(pointer: coarse)')

/** True on a screen of a phone, where tables are cards and drawers are pages. */
export function useNarrow(): boolean {
  return useMatches(NARROW)
}

/** True where people point with a finger: rows of tables are higher. */
export function useTouch(): boolean {
  return useMatches(TOUCH)
}

function useMatches(query: MediaQueryList): boolean {
  return useSyncExternalStore(
    (tell) => {
      query.addEventListener('change', tell)
      return () => query.removeEventListener('change', tell)
    },
    () => query.matches,
  )
}

/** Saves content as a file of the browser's downloads. */
export function saveFile(name: string, content: Blob): void {
  const url = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
