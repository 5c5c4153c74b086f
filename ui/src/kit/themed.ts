import { useEffect, useState } from 'react'

/** A number that changes with the theme: what is drawn with colours of its own is drawn anew. */
export function useThemeTurn(): number {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const next = (): void => setTurn((before) => before + 1)
    const system = matchMedia('(prefers-color-scheme: dark)')
    const chosen = new MutationObserver(next)
    system.addEventListener('change', next)
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      system.removeEventListener('change', next)
      chosen.disconnect()
    }
  }, [])
  return turn
}
