/** The functions of Helm that the chart uses, as strictly as their callers need. A wrong input is refused with a sentence. */
import { createHash } from 'node:crypto'
import { stringify } from 'yaml'

/** A value of a template, as JSON has it. */
export type Value = null | string | number | boolean | readonly Value[] | { readonly [name: string]: Value }

/** Numbers from here on are written as 1e+06 by Go. */
const PLAIN_BELOW = 1_000_000
const INDENT_MAX = 100

/** Empty in the sense of `if`, `with` and `default`. */
export function isEmpty(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** A value as an action prints it. Throws for what Go prints in a way that nobody means: missing values, lists, large numbers. */
export function printed(value: Value): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) < PLAIN_BELOW) return String(value)
    throw new Error(`the number ${value} is printed as 1e+06 is; use toJson`)
  }
  if (value === null) throw new Error('a missing value is printed')
  throw new Error('a list or an object is printed; use toYaml')
}

function text(value: Value | undefined): string {
  if (typeof value === 'string') return value
  throw new Error('takes a string')
}

function whole(value: Value | undefined, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new Error(`takes a whole number from 0 to ${max}`)
}

function indented(value: string, spaces: number): string {
  return value.replace(/^/gm, ' '.repeat(spaces))
}

function toYaml(value: Value): string {
  if (value === null) throw new Error('takes no missing value')
  // Helm writes YAML 1.1 with sorted members
  const written = stringify(value, { version: '1.1', sortMapEntries: true, indentSeq: false, lineWidth: 0 })
  return written.replace(/\n$/, '')
}

function same(a: Value | undefined, b: Value | undefined): boolean {
  if (typeof a !== typeof b || typeof a === 'object') throw new Error('compares two values of one basic type')
  return a === b
}

function format(pattern: string, values: readonly Value[]): string {
  const parts = pattern.split('%s')
  if (parts.some((part) => part.includes('%'))) throw new Error('knows only %s')
  if (parts.length - 1 !== values.length) throw new Error(`takes ${parts.length - 1} values for %s`)
  return parts.map((part, index) => part + (index < values.length ? text(values[index]) : '')).join('')
}

function kindIs(kind: string, value: Value): boolean {
  // Numbers differ between versions of Helm
  if (kind !== 'string' && kind !== 'bool') throw new Error('asks only for string and bool')
  return typeof value === (kind === 'bool' ? 'boolean' : 'string')
}

interface HelmFunction {
  /** How many inputs it takes. */
  readonly inputs: readonly [min: number, max: number]
  readonly run: (inputs: readonly Value[]) => Value
}

/** `and`, `or` and `include` are in the renderer: they do not take values alone. */
export const FUNCTIONS: Readonly<Record<string, HelmFunction>> = {
  contains: { inputs: [2, 2], run: ([part, whole]) => text(whole).includes(text(part)) },
  default: { inputs: [2, 2], run: ([other, value]) => (isEmpty(value!) ? other! : value!) },
  eq: { inputs: [2, 2], run: ([a, b]) => same(a, b) },
  fail: {
    inputs: [1, 1],
    run: ([message]) => {
      throw new Error(text(message))
    },
  },
  kindIs: { inputs: [2, 2], run: ([kind, value]) => kindIs(text(kind), value!) },
  nindent: {
    inputs: [2, 2],
    run: ([spaces, value]) => `\n${indented(text(value), whole(spaces, INDENT_MAX))}`,
  },
  not: { inputs: [1, 1], run: ([value]) => isEmpty(value!) },
  printf: { inputs: [1, 10], run: ([pattern, ...values]) => format(text(pattern), values) },
  quote: { inputs: [1, 1], run: ([value]) => JSON.stringify(printed(value!)) },
  replace: { inputs: [3, 3], run: ([from, to, value]) => text(value).replaceAll(text(from), text(to)) },
  required: {
    inputs: [2, 2],
    run: ([message, value]) => {
      if (value === null || value === '') throw new Error(text(message))
      return value!
    },
  },
  sha256sum: { inputs: [1, 1], run: ([value]) => createHash('sha256').update(text(value)).digest('hex') },
  ternary: {
    inputs: [3, 3],
    run: ([yes, no, test]) => {
      if (typeof test !== 'boolean') throw new Error('takes a boolean last')
      return test ? yes! : no!
    },
  },
  toJson: { inputs: [1, 1], run: ([value]) => JSON.stringify(value) },
  toYaml: { inputs: [1, 1], run: ([value]) => toYaml(value!) },
  trimSuffix: {
    inputs: [2, 2],
    run: ([suffix, value]) => {
      const [end, whole] = [text(suffix), text(value)]
      return end !== '' && whole.endsWith(end) ? whole.slice(0, -end.length) : whole
    },
  },
  trunc: { inputs: [2, 2], run: ([length, value]) => text(value).slice(0, whole(length, 10_000)) },
  upper: { inputs: [1, 1], run: ([value]) => text(value).toUpperCase() },
}
