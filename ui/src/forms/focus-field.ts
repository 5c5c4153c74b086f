import { type RefObject, useEffect } from 'react'

/** The fragment of the address as a JSON pointer, such as `/ip_allowlist`; null if it is none. */
export function pointerOfHash(hash: string): string | null {
  try {
    const pointer = decodeURIComponent(hash.replace(/^#/, ''))
    return pointer.startsWith('/') ? pointer : null
  } catch {
    return null
  }
}

/** The pointer and those of the values around it, nearest first: a form may have one field for a whole object. */
export function pointersAround(pointer: string): readonly string[] {
  const steps = pointer.split('/').slice(1)
  return steps.map((_, index) => `/${steps.slice(0, steps.length - index).join('/')}`)
}

const INPUTS = 'input, textarea, select, button'

/**
 * Leads to the field that the fragment of the address names (`?tab=edit#/ip_allowlist`). Ids of inputs are the prefix and their
 * pointer; a member that is edited as a whole has its name in `data-member`.
 */
export function useFieldOfHash(form: RefObject<HTMLElement | null>, prefix: string): void {
  useEffect(() => {
    const pointer = pointerOfHash(location.hash)
    const within = form.current
    if (pointer === null || within === null) return
    const inputs = [...within.querySelectorAll<HTMLElement>('[id]')]
    const exact = pointersAround(pointer).flatMap(
      (near) => inputs.find(({ id }) => id === prefix + near) ?? [],
    )
    const member = [...within.querySelectorAll<HTMLElement>('[data-member]')].find(
      ({ dataset }) => dataset['member'] === pointer.split('/')[1],
    )
    const found = exact[0] ?? member
    const place = found?.matches(INPUTS) === true ? found : found?.querySelector<HTMLElement>(INPUTS)
    for (let fold = place?.closest('details'); fold != null; fold = fold.parentElement?.closest('details'))
      fold.open = true
    place?.scrollIntoView({ block: 'center' })
    place?.focus()
  }, [form, prefix])
}
