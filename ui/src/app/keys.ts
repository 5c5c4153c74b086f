import { useEffect, useRef } from 'react'

const KEY = 'postern-single-keys'
/** Time between the two keys of a sequence such as `g c`, milliseconds. */
const SEQUENCE_MS = 1200

/** Single keys can be switched off (WCAG 2.1.4). Ctrl and ⌘ shortcuts work anyway. */
export function singleKeysOn(): boolean {
  return localStorage.getItem(KEY) !== 'off'
}

export function setSingleKeys(on: boolean): void {
  if (on) localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, 'off')
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  )
}

/**
 * Calls the function of a key while the component is shown: `/`, `?`, `j`, `Enter`, a sequence such as `g c`, or `mod+k` (Ctrl, or ⌘ on
 * a Mac). While a person types or a dialog is open, only `mod+` shortcuts work. A function that returns `false` leaves the key to the
 * browser.
 */
export function useKeys(keys: Readonly<Record<string, (event: KeyboardEvent) => unknown>>): void {
  const current = useRef(keys)
  current.current = keys
  useEffect(() => {
    let before = ''
    let beforeAt = 0
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.altKey) return
      const mod = event.ctrlKey || event.metaKey
      const name = mod ? `mod+${event.key.toLowerCase()}` : event.key
      if (
        !mod &&
        (isTyping(event.target) || !singleKeysOn() || document.querySelector('dialog[open]') !== null)
      )
        return
      const sequence = event.timeStamp - beforeAt < SEQUENCE_MS ? `${before} ${name}` : name
      const handle = current.current[sequence] ?? current.current[name]
      before = name
      beforeAt = event.timeStamp
      if (handle === undefined) return
      if (handle(event) !== false) event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
}
