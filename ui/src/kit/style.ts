/** Class names, and styles that depend on the place of an element. */
import type { CSSProperties } from 'react'

/** Class names that are set; the others are left out. */
export function classes(...names: readonly (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(' ')
}

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
