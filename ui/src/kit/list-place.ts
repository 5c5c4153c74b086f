/** Where a list stands that floats over the page: below its input, or above it where there is more room. */
import { type CSSProperties, type RefObject, useLayoutEffect, useState } from 'react'

const GAP = 4
/** From the edge of the window. */
const EDGE = 8
const HEIGHT_MAX = 240
/** With less room than this below the input, the list goes above it, if there is more. */
const HEIGHT_MIN = 160

interface Box {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly width: number
}

/** @param input the place of the input in the window */
export function listPlace(input: Box, windowHeight: number): CSSProperties {
  const below = windowHeight - input.bottom - GAP - EDGE
  const above = input.top - GAP - EDGE
  const { left, width } = input
  if (below < HEIGHT_MIN && above > below)
    return { left, width, bottom: windowHeight - input.top + GAP, maxHeight: Math.min(HEIGHT_MAX, above) }
  return { left, width, top: input.bottom + GAP, maxHeight: Math.max(0, Math.min(HEIGHT_MAX, below)) }
}

/** The place of a list as a style: in the window, because what scrolls around the input, such as a dialog, would cut the list off. */
export function useListPlace(input: RefObject<HTMLElement | null>, isFloating: boolean): CSSProperties {
  const [place, setPlace] = useState<CSSProperties>({})
  useLayoutEffect(() => {
    if (!isFloating) return
    const find = (): void => {
      if (input.current !== null) setPlace(listPlace(input.current.getBoundingClientRect(), innerHeight))
    }
    find()
    // The input moves with whatever scrolls around it
    addEventListener('scroll', find, { capture: true, passive: true })
    addEventListener('resize', find)
    return () => {
      removeEventListener('scroll', find, { capture: true })
      removeEventListener('resize', find)
    }
  }, [input, isFloating])
  return isFloating ? place : {}
}
