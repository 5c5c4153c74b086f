/** Finds a content that does not fit a JSON schema: one span over all of it. */
import { compileDetectors, type Detectors } from './compile.ts'
import type { Span } from './span.ts'

/** True for a value that fits. */
export type Fits = (value: unknown) => boolean

/** The kinds: a JSON text that does not fit, and a text that is not JSON. */
type Kind = 'schema' | 'not_json'

export function schemaDetectors(fits: Fits): Detectors {
  return {
    ...compileDetectors([]),
    hasSize: true,
    find(text) {
      const kind = kindOf(text, fits)
      return kind === null ? [] : [unfit(kind, text.length)]
    },
  }
}

function unfit(kind: Kind, end: number): Span {
  return { start: 0, end, detector: 'schema', kind, confidence: 1 }
}

function kindOf(text: string, fits: Fits): Kind | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'not_json'
  }
  return fits(value) ? null : 'schema'
}
