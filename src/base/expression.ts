/**
 * Evaluates expressions that were read elsewhere (`model/expression.ts`) from the Common Expression Language. A program is plain
 * JSON, so that a gateway thread needs neither the parser nor the type checker.
 *
 * Invariants:
 * 1. Evaluation ends. Each node costs one step, text one more step per 1,024 characters, a comparison one step per part.
 *    After {@link STEPS_MAX} steps the expression fails, also within `||` and `&&`.
 * 2. An expression holds only if its value is exactly `true`. An error is never a result.
 * 3. Members of the prototype are no members of a value.
 * 4. Regular expressions take linear time (`base/linear-pattern.ts`) and are literals of the program.
 */
import { type LinearPattern, linearPattern } from './linear-pattern.ts'
import { isPlain, type Plain } from './plain.ts'

/** Steps of one evaluation. */
const STEPS_MAX = 10_000
/** Characters of text that cost one step. */
const CHARS_PER_STEP = 1024
/** Nesting of a program. The parser allows less. */
const DEPTH_MAX = 1000

export const BINARY_SIGNS = ['==', '!=', '<', '<=', '>', '>=', 'in', '+', '-', '*', '/', '%'] as const
export type BinarySign = (typeof BINARY_SIGNS)[number]

export const MACROS = ['all', 'exists', 'exists_one', 'map', 'filter'] as const
export type Macro = (typeof MACROS)[number]

/** A node of a program; the root is the expression. */
export type Program =
  | { readonly op: 'value'; readonly value: string | number | boolean | null }
  /** An integer of 64 bits, in decimal. */
  | { readonly op: 'int'; readonly digits: string }
  | { readonly op: 'name'; readonly name: string }
  | { readonly op: 'member' | 'has'; readonly of: Program; readonly key: string }
  | { readonly op: 'index'; readonly of: Program; readonly at: Program }
  | { readonly op: 'list'; readonly items: readonly Program[] }
  | { readonly op: 'choose'; readonly when: Program; readonly yes: Program; readonly no: Program }
  | { readonly op: 'or' | 'and'; readonly left: Program; readonly right: Program }
  | { readonly op: 'not' | 'minus'; readonly of: Program }
  | { readonly op: 'binary'; readonly sign: BinarySign; readonly left: Program; readonly right: Program }
  /** A method has its receiver first. */
  | { readonly op: 'call'; readonly name: string; readonly given: readonly Program[] }
  /** `map` and `filter` give a list, the others a truth value. */
  | {
      readonly op: 'each'
      readonly macro: Macro
      readonly over: Program
      readonly name: string
      readonly body: Program
    }

/** Stands for a variable whose value is not known yet. */
export const UNDECIDED: unique symbol = Symbol('undecided')

/**
 * `undecided`: the value depends on a variable that is {@link UNDECIDED}. `failed`: an error, a value that is not a truth value, or
 * too many steps.
 */
export type Outcome = 'holds' | 'fails_to_hold' | 'undecided' | 'failed'

/** An expression that is ready to be asked. */
export interface Expression {
  /** Variables that the expression reads. */
  readonly reads: ReadonlySet<string>
  /** Never throws. A variable that is absent from `values` is an error where it is read. */
  decide(values: Readonly<Record<string, unknown>>): Outcome
}

interface Run {
  readonly values: Readonly<Record<string, unknown>>
  /** Values of the names of macros, outermost first. */
  readonly slots: unknown[]
  steps: number
}

type Step = (run: Run) => unknown

/** Why an evaluation ended without a value. No stack: it is no bug. */
class Halt {
  readonly why: 'undecided' | 'failed' | 'spent'
  constructor(why: 'undecided' | 'failed' | 'spent') {
    this.why = why
  }
}
const WAITS = new Halt('undecided')
const FAILED = new Halt('failed')
const SPENT = new Halt('spent')

/**
 * Links a program.
 * @param variables Names that the program may read.
 * @throws RangeError for what is no program.
 */
export function toExpression(program: Program, variables: readonly string[]): Expression {
  const reads = new Set<string>()
  const step = linked(program, { variables, slots: [], reads, depth: 0 })
  return {
    reads,
    decide(values) {
      try {
        const value = step({ values, slots: [], steps: STEPS_MAX })
        return value === true ? 'holds' : value === false ? 'fails_to_hold' : 'failed'
      } catch (error) {
        return error === WAITS ? 'undecided' : 'failed'
      }
    },
  }
}

interface Linking {
  readonly variables: readonly string[]
  readonly slots: readonly string[]
  readonly reads: Set<string>
  readonly depth: number
}

/** The step of a node; each costs one. */
function linked(node: Program, outer: Linking): Step {
  const at = { ...outer, depth: outer.depth + 1 }
  if (at.depth > DEPTH_MAX) throw new RangeError('the expression is nested too deeply')
  const inner = stepOf(node, at)
  return (run) => {
    spend(run, 1)
    return inner(run)
  }
}

function stepOf(node: Program, at: Linking): Step {
  switch (node.op) {
    case 'value': {
      const { value } = node
      return () => value
    }
    case 'int': {
      if (!/^-?[0-9]{1,19}$/.test(node.digits)) throw new RangeError(`"${node.digits}" is no integer`)
      const value = BigInt(node.digits)
      return () => value
    }
    case 'name':
      return nameStep(node.name, at)
    case 'member':
    case 'has': {
      const [of, { key }] = [linked(node.of, at), node]
      if (node.op === 'member') return (run) => memberOf(of(run), key)
      return (run) => {
        const holder = of(run)
        if (!isPlain(holder)) throw FAILED
        return Object.hasOwn(holder, key)
      }
    }
    case 'index': {
      const [of, index] = [linked(node.of, at), linked(node.at, at)]
      return (run) => itemAt(of(run), index(run))
    }
    case 'list': {
      const items = node.items.map((item) => linked(item, at))
      return (run) => items.map((item) => item(run))
    }
    case 'choose': {
      const [when, yes, no] = [linked(node.when, at), linked(node.yes, at), linked(node.no, at)]
      return (run) => (truth(when(run)) ? yes(run) : no(run))
    }
    case 'or':
    case 'and':
      return logicStep(node.op === 'or', linked(node.left, at), linked(node.right, at))
    case 'not': {
      const of = linked(node.of, at)
      return (run) => !truth(of(run))
    }
    case 'minus': {
      const of = linked(node.of, at)
      return (run) => {
        const value = of(run)
        if (typeof value === 'bigint') return withinInt(-value)
        if (typeof value === 'number') return -value
        throw FAILED
      }
    }
    case 'binary': {
      const [left, right, sign] = [linked(node.left, at), linked(node.right, at), node.sign]
      if (!BINARY_SIGNS.includes(sign)) throw new RangeError(`"${String(sign)}" is no operator`)
      return (run) => binary(run, sign, left(run), right(run))
    }
    case 'call':
      return callStep(node.name, node.given, at)
    case 'each':
      return eachStep(node, at)
    default:
      throw new RangeError('the expression has a part that is not known')
  }
}

function nameStep(name: string, { variables, slots, reads }: Linking): Step {
  const slot = slots.lastIndexOf(name)
  if (slot !== -1) return (run) => run.slots[slot]
  if (!variables.includes(name)) throw new RangeError(`there is no variable ${name}`)
  reads.add(name)
  return ({ values }) => {
    if (!Object.hasOwn(values, name)) throw FAILED
    const value = values[name]
    if (value === UNDECIDED) throw WAITS
    return value
  }
}

/**
 * As CEL has it, one side that decides makes up for an error of the other. An undecided side outweighs an error: its value may
 * decide. Running out of steps is final.
 */
function logicStep(deciding: boolean, left: Step, right: Step): Step {
  const sideOf = (side: Step, run: Run): boolean | Halt => {
    try {
      return truth(side(run))
    } catch (error) {
      if (error === WAITS) return WAITS
      if (error === SPENT) throw SPENT
      return FAILED
    }
  }
  return (run) => {
    const first = sideOf(left, run)
    if (first === deciding) return deciding
    const second = sideOf(right, run)
    if (second === deciding) return deciding
    if (first === WAITS || second === WAITS) throw WAITS
    if (first === FAILED || second === FAILED) throw FAILED
    return !deciding
  }
}

function eachStep({ macro, over, name, body }: Program & { readonly op: 'each' }, at: Linking): Step {
  if (!MACROS.includes(macro)) throw new RangeError(`"${String(macro)}" is no macro`)
  const list = linked(over, at)
  const slot = at.slots.length
  const each = linked(body, { ...at, slots: [...at.slots, name] })
  const listed = (run: Run): readonly unknown[] => {
    const items = list(run)
    if (!Array.isArray(items)) throw FAILED
    return items
  }
  const valueAt = (run: Run, item: unknown): unknown => {
    run.slots[slot] = item
    return each(run)
  }
  if (macro === 'map') return (run) => listed(run).map((item) => valueAt(run, item))
  if (macro === 'filter') return (run) => listed(run).filter((item) => truth(valueAt(run, item)))
  if (macro === 'exists_one')
    return (run) => listed(run).filter((item) => truth(valueAt(run, item))).length === 1
  const deciding = macro === 'exists'
  return (run) => {
    let halt: Halt | null = null
    for (const item of listed(run)) {
      try {
        if (truth(valueAt(run, item)) === deciding) return deciding
      } catch (error) {
        if (error === SPENT) throw SPENT
        if (halt !== WAITS) halt = error === WAITS ? WAITS : FAILED
      }
    }
    if (halt !== null) throw halt
    return !deciding
  }
}

/** Names of the functions, with the number of their arguments; a method counts its receiver. */
export const FUNCTIONS: Readonly<Record<string, number>> = {
  size: 1,
  string: 1,
  int: 1,
  double: 1,
  lowerAscii: 1,
  upperAscii: 1,
  contains: 2,
  startsWith: 2,
  endsWith: 2,
  matches: 2,
}

function callStep(name: string, given: readonly Program[], at: Linking): Step {
  if (!Object.hasOwn(FUNCTIONS, name) || FUNCTIONS[name] !== given.length)
    throw new RangeError(`there is no function ${name} with ${given.length} arguments`)
  const first = linked(given[0]!, at)
  if (name === 'matches') {
    const pattern = patternOf(given[1]!)
    return (run) => pattern.test(text(run, first(run)))
  }
  if (given.length === 1) return (run) => converted(run, name, first(run))
  const second = linked(given[1]!, at)
  return (run) => {
    const [whole, part] = [text(run, first(run)), text(run, second(run))]
    if (name === 'contains') return whole.includes(part)
    return name === 'startsWith' ? whole.startsWith(part) : whole.endsWith(part)
  }
}

/** @throws RangeError for what is no literal, and for an expression that is not regular. */
function patternOf(node: Program): LinearPattern {
  const pattern = node.op === 'value' && typeof node.value === 'string' ? linearPattern(node.value) : null
  if (pattern === null) throw new RangeError('matches takes a literal that is a regular expression')
  return pattern
}

function converted(run: Run, name: string, value: unknown): unknown {
  switch (name) {
    case 'size':
      return sizeOf(run, value)
    case 'string':
      if (typeof value === 'number' && !Number.isFinite(value)) throw FAILED
      if (typeof value === 'string') return text(run, value)
      if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean')
        return String(value)
      throw FAILED
    case 'int':
      if (typeof value === 'bigint') return value
      if (typeof value !== 'number' || !Number.isFinite(value)) throw FAILED
      return withinInt(BigInt(Math.trunc(value)))
    case 'double':
      if (typeof value !== 'bigint' && typeof value !== 'number') throw FAILED
      return Number(value)
    case 'lowerAscii':
      return text(run, value).replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
    default:
      return text(run, value).replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase())
  }
}

function sizeOf(run: Run, value: unknown): bigint {
  if (Array.isArray(value)) return BigInt(value.length)
  if (isPlain(value)) {
    const names = Object.keys(value).length
    spend(run, names)
    return BigInt(names)
  }
  // Code points, not units
  let count = 0n
  for (const _char of text(run, value)) count++
  return count
}

/** Text on which a function works, paid by its length. */
function text(run: Run, value: unknown): string {
  if (typeof value !== 'string') throw FAILED
  spend(run, Math.floor(value.length / CHARS_PER_STEP))
  return value
}

function binary(run: Run, sign: BinarySign, left: unknown, right: unknown): unknown {
  switch (sign) {
    case '==':
      return isEqual(run, left, right)
    case '!=':
      return !isEqual(run, left, right)
    case 'in':
      if (Array.isArray(right)) return right.some((item) => isEqual(run, left, item))
      if (!isPlain(right)) throw FAILED
      return typeof left === 'string' && Object.hasOwn(right, left)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return ordered(run, sign, left, right)
    default:
      return computed(run, sign, left, right)
  }
}

/** Values of different kinds differ; integers and doubles are compared as numbers. */
function isEqual(run: Run, left: unknown, right: unknown): boolean {
  spend(run, 1)
  if (typeof left === 'string' && typeof right === 'string') return text(run, left) === right
  if (isNumber(left) && isNumber(right))
    // Mathematically exact between an integer and a double
    // biome-ignore lint/suspicious/noDoubleEquals: both are numbers
    return left == right
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, at) => isEqual(run, item, right[at]))
  if (isPlain(left) && isPlain(right)) {
    const names = Object.keys(left)
    spend(run, names.length)
    return (
      names.length === Object.keys(right).length &&
      names.every((name) => Object.hasOwn(right, name) && isEqual(run, left[name], right[name]))
    )
  }
  return left === right
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function ordered(run: Run, sign: '<' | '<=' | '>' | '>=', left: unknown, right: unknown): boolean {
  if (isNumber(left) && isNumber(right)) return compared(sign, left, right)
  if (typeof left !== 'string' || typeof right !== 'string') throw FAILED
  return compared(sign, text(run, left), text(run, right))
}

function compared<T extends string | number | bigint>(
  sign: '<' | '<=' | '>' | '>=',
  left: T,
  right: T,
): boolean {
  if (sign === '<') return left < right
  if (sign === '<=') return left <= right
  return sign === '>' ? left > right : left >= right
}

/** Integers and doubles do not mix, as in CEL: `double()` and `int()` convert. */
function computed(run: Run, sign: '+' | '-' | '*' | '/' | '%', left: unknown, right: unknown): unknown {
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    if ((sign === '/' || sign === '%') && right === 0n) throw FAILED
    return withinInt(integer(sign, left, right))
  }
  if (typeof left === 'number' && typeof right === 'number' && sign !== '%') {
    if (sign === '+') return left + right
    if (sign === '-') return left - right
    return sign === '*' ? left * right : left / right
  }
  if (sign !== '+') throw FAILED
  if (typeof left === 'string' && typeof right === 'string') return text(run, left) + text(run, right)
  if (!Array.isArray(left) || !Array.isArray(right)) throw FAILED
  spend(run, left.length + right.length)
  return [...left, ...right]
}

function integer(sign: '+' | '-' | '*' | '/' | '%', left: bigint, right: bigint): bigint {
  switch (sign) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return left / right
    default:
      return left % right
  }
}

function withinInt(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw FAILED
  return value
}

function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw FAILED
  return value
}

function memberOf(holder: unknown, key: string): unknown {
  if (!isPlain(holder) || !Object.hasOwn(holder, key)) throw FAILED
  return (holder as Plain)[key]
}

function itemAt(holder: unknown, index: unknown): unknown {
  if (typeof index === 'string') return memberOf(holder, index)
  const at = typeof index === 'bigint' || Number.isInteger(index) ? Number(index) : -1
  if (!Array.isArray(holder) || at < 0 || at >= holder.length) throw FAILED
  return holder[at] as unknown
}

function spend(run: Run, steps: number): void {
  run.steps -= steps
  if (run.steps < 0) throw SPENT
}
