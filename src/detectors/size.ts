import { COMMA, endOfString, QUOTE } from '../base/json/scan.ts'
import type { SizeLimits } from './settings.ts'
import type { Span } from './span.ts'

/** Which limits a text exceeds: one span over the whole text for each. Depth and items are those of JSON, counted without parsing it. */
export function sizeSpans(text: string, { bytes, depth, items }: SizeLimits): Span[] {
  const exceeded: string[] = []
  if (bytes !== undefined && text.length * 3 > bytes && Buffer.byteLength(text) > bytes)
    exceeded.push('bytes')
  if (depth !== undefined || items !== undefined) {
    const measured = measure(text, depth ?? Number.POSITIVE_INFINITY, items ?? Number.POSITIVE_INFINITY)
    if (measured.isTooDeep) exceeded.push('depth')
    if (measured.isTooLong) exceeded.push('items')
  }
  return exceeded.map((kind) => ({ start: 0, end: text.length, detector: 'size', kind, confidence: 1 }))
}

interface Measured {
  readonly isTooDeep: boolean
  readonly isTooLong: boolean
}

/** Follows brackets and commas outside of strings. A text that is no JSON has what these characters make of it. */
function measure(text: string, depthMax: number, itemsMax: number): Measured {
  /** Commas of each open list or object. */
  const open: number[] = []
  let isTooDeep = false
  let isTooLong = false
  for (let at = 0; at < text.length && !(isTooDeep && isTooLong); at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    // [ and {, ] and }
    else if ((code | 32) === 123) {
      open.push(1)
      if (open.length > depthMax) isTooDeep = true
      if (itemsMax === 0 && !isClosing(text, at + 1)) isTooLong = true
    } else if ((code | 32) === 125) open.pop()
    else if (code === COMMA && open.length > 0 && ++open[open.length - 1]! > itemsMax) isTooLong = true
  }
  return { isTooDeep, isTooLong }
}

/** True where a list or object ends that has nothing in it. */
function isClosing(text: string, from: number): boolean {
  let at = from
  while (text.charCodeAt(at) <= 32) at++
  return (text.charCodeAt(at) | 32) === 125
}
