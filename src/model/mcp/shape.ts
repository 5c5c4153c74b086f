/**
 * Shapes of messages of the MCP specification. A shape takes a value that fits, repairs a value where that does not change its meaning,
 * and refuses any other.
 *
 * 1. A value that fits is returned as the same object.
 * 2. `null` in the place of an optional member is repaired: the member is left out.
 * 3. A shape looks at the members that it names, once each.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { printable } from '../../base/text/visible.ts'

/** Returned in the place of a value that does not fit. */
export const UNFIT: unique symbol = Symbol('unfit')

/** What shapes say of a value. */
export class Findings {
  /** What was repaired, as ends of sentences about the value, such as `null at /title is left out`. */
  readonly repairs: string[] = []
  /** Why the value does not fit, as the end of a sentence about it, such as `has no text at /name`; null if it fits. */
  fault: string | null = null

  repaired(what: string): void {
    if (this.repairs.length < REPAIRS_MAX) this.repairs.push(shown(what))
  }

  unfit(fault: string): typeof UNFIT {
    this.fault ??= shown(fault)
    return UNFIT
  }
}

/** Repairs of one value that are told. */
const REPAIRS_MAX = 8
const SHOWN_CHARS_MAX = 200

/** Names in a pointer are those of an origin. */
function shown(finding: string): string {
  return printable(finding.slice(0, SHOWN_CHARS_MAX))
}

/** @param at JSON Pointer of the value in the message */
export type Shape = (value: unknown, findings: Findings, at: string) => unknown

export interface MemberShape {
  readonly shape: Shape
  /** What an absent member of a required name becomes; undefined where nothing can. */
  readonly missing?: () => unknown
  /**
   * - required: without the member, the value does not fit.
   * - optional: the member may be absent.
   * - hint: as optional, and a member that does not fit is left out.
   */
  readonly need: 'required' | 'optional' | 'hint'
}

export const text: Shape = typed('text', (value) => typeof value === 'string')
export const flag: Shape = typed('boolean', (value) => typeof value === 'boolean')
export const number: Shape = typed('number', (value) => Number.isFinite(value))
export const anyObject: Shape = typed('object', isPlain)

/** @param noun of what is wanted @param fits tells whether a value is one */
export function typed(noun: string, fits: (value: unknown) => boolean): Shape {
  return (value, findings, at) => (fits(value) ? value : findings.unfit(`has no ${noun} at ${at}`))
}

export function oneOf(...values: readonly string[]): Shape {
  const known: ReadonlySet<unknown> = new Set(values)
  return typed(`text out of ${values.join(', ')}`, (value) => known.has(value))
}

export function required(shape: Shape): MemberShape {
  return { shape, need: 'required' }
}

export function optional(shape: Shape): MemberShape {
  return { shape, need: 'optional' }
}

export function hint(shape: Shape): MemberShape {
  return { shape, need: 'hint' }
}

/** An object with these members. Others pass as they are. */
export function object(members: Readonly<Record<string, MemberShape>>): Shape {
  const named = Object.entries(members)
  return (value, findings, at) => {
    if (!isPlain(value)) return findings.unfit(`has no object at ${at === '' ? 'its root' : at}`)
    let copy: Plain | null = null
    for (const [name, { shape, need, missing }] of named) {
      const before = Object.hasOwn(value, name) ? value[name] : undefined
      const place = `${at}/${name}`
      let after: unknown
      if (before === undefined || before === null) {
        if (need === 'required') {
          if (missing === undefined) return shape(undefined, findings, place)
          after = missing()
          findings.repaired(`${place} is missing and is added`)
        } else {
          if (before === undefined) continue
          findings.repaired(`null at ${place} is left out`)
        }
      } else if (need === 'hint') after = hinted(shape, before, findings, place)
      else after = shape(before, findings, place)
      if (after === UNFIT) return UNFIT
      if (after === before) continue
      copy ??= { ...value }
      if (after === undefined) delete copy[name]
      else copy[name] = after
    }
    return copy ?? value
  }
}

/** Undefined for a hint that does not fit. */
function hinted(shape: Shape, value: unknown, findings: Findings, at: string): unknown {
  const own = new Findings()
  const after = shape(value, own, at)
  for (const repair of own.repairs) findings.repaired(repair)
  if (after !== UNFIT) return after
  findings.repaired(`${at} is left out: it ${own.fault}`)
  return undefined
}

/** A list of values of one shape. */
export function listOf(item: Shape): Shape {
  return mapped((value, findings, at) => item(value, findings, at))
}

/** A list from which items that do not fit are left out: nothing depends on them. */
export function listOfHints(item: Shape): Shape {
  return mapped((value, findings, at) => hinted(item, value, findings, at))
}

/** @param fit gives undefined for an item that is left out */
function mapped(fit: Shape): Shape {
  return (value, findings, at) => {
    if (!Array.isArray(value)) return findings.unfit(`has no list at ${at}`)
    const list = value as readonly unknown[]
    const after: unknown[] = []
    for (const [index, one] of list.entries()) {
      const fitted = fit(one, findings, `${at}/${index}`)
      if (fitted === UNFIT) return UNFIT
      if (fitted !== undefined) after.push(fitted)
    }
    return after.length === list.length && after.every((one, index) => one === list[index]) ? value : after
  }
}
