import type { Document, Selection } from './document.ts'
import { Unreadable } from './lexer.ts'

/** Size of an operation with its fragments put in place. */
export interface Size {
  /** Fields below each other. */
  readonly depth: number
  /** Fields in all; no more than {@link FIELDS_MAX} are told apart. */
  readonly fields: number
  /** Asks for the schema: `__schema` or `__type`. */
  readonly introspects: boolean
}

/** Fragments may multiply without end; from here on it is simply too many. */
const FIELDS_MAX = 1_000_000_000

/**
 * Measures what a selection set asks for. Each fragment is measured once, so the time is linear in the document,
 * however often fragments spread each other. Throws {@link Unreadable} for one that is missing or contains itself.
 */
export function createMeasure(document: Document): (selections: readonly Selection[]) => Size {
  const known = new Map<string, Size | 'open'>()

  function ofFragment(name: string): Size {
    const size = known.get(name)
    if (size === 'open') throw new Unreadable(`fragment ${name.slice(0, 80)} contains itself`)
    if (size !== undefined) return size
    const selections = document.fragments.get(name)
    if (selections === undefined) throw new Unreadable(`there is no fragment ${name.slice(0, 80)}`)
    known.set(name, 'open')
    const measured = measure(selections)
    known.set(name, measured)
    return measured
  }

  function measure(selections: readonly Selection[]): Size {
    let depth = 0
    let fields = 0
    let introspects = false
    for (const selection of selections) {
      const below = selection.kind === 'spread' ? ofFragment(selection.name) : measure(selection.below)
      const own = selection.kind === 'field' ? 1 : 0
      depth = Math.max(depth, below.depth + own)
      fields = Math.min(FIELDS_MAX, fields + below.fields + own)
      introspects ||=
        below.introspects ||
        (selection.kind === 'field' && (selection.name === '__schema' || selection.name === '__type'))
    }
    return { depth, fields, introspects }
  }

  return measure
}
