/**
 * Evaluates expressions that were read elsewhere (`model/workflow/expression.ts`) from the Common Expression Language. A program is plain
 * JSON, so that a gateway thread needs neither the parser nor the type checker.
 *
 * Invariants:
 * 1. Evaluation ends. Each node costs one step, text one more step per 1,024 characters, a comparison one step per part.
 *    After {@link STEPS_MAX} steps the expression fails, also within `||` and `&&`.
 * 2. An expression holds only if its value is exactly `true`. An error is never a result.
 * 3. Members of the prototype are no members of a value.
 * 4. Regular expressions take linear time (`base/text/patterns.ts`) and are literals of the program.
 * 5. An evaluation changes nothing that it is given. It takes the clock and chance from its caller ({@link Ambient}).
 */
import { randomUUID } from 'node:crypto'
import { isPlain, type Plain } from '../json/storable.ts'
import { type LinearPattern, linearPattern } from '../text/patterns.ts'
import {
  type Ambient,
  type Evaluation,
  FAILED,
  type FunctionType,
  Halt,
  isNumber,
  made,
  SPENT,
  spend,
  text,
  WAITS,
  withinInt,
} from './functions/evaluation.ts'
import { BINARY_SIGNS, type BinarySign, binary } from './functions/operators.ts'
import { VALUE_FUNCTIONS } from './functions/table.ts'
import { isTime, Timestamp } from './functions/times.ts'
import { objectOf, toJsonValue } from './functions/values.ts'

/** Steps of one evaluation. */
const STEPS_MAX = 10_000
/** Nesting of a program. The parser allows less. */
const DEPTH_MAX = 1000

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
  /** Names and values of an object. For expressions that give values. */
  | { readonly op: 'map'; readonly members: readonly (readonly [Program, Program])[] }
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

/** An expression has no value. The message says why, for its author. */
export class ExpressionFailure extends Error {}

/** An expression that gives values. */
export interface Evaluator {
  /** Variables that the expression reads. */
  readonly reads: ReadonlySet<string>
  /**
   * The value as JSON has it: integers become numbers. Members of `values` may be getters, which are asked where the expression
   * reads them.
   * @throws ExpressionFailure
   */
  value(values: Readonly<Record<string, unknown>>, ambient?: Ambient): unknown
}

/** An expression that is ready to be asked. */
export interface Expression {
  /** Variables that the expression reads. */
  readonly reads: ReadonlySet<string>
  /** Never throws. A variable that is absent from `values` is an error where it is read. */
  decide(values: Readonly<Record<string, unknown>>): Outcome
}

/** The clock and chance of this process. */
export const SYSTEM_AMBIENT: Ambient = { now: Date.now, random: Math.random, uuid: randomUUID }

type Step = (run: Evaluation) => unknown

const NO_TRUTH = new Halt('failed', 'a condition is neither true nor false')
const NO_ITEM = new Halt('failed', 'there is no such item')

/**
 * Links a program.
 * @param variables Names that the program may read.
 * @throws RangeError for what is no program.
 */
export function toExpression(program: Program, variables: readonly string[]): Expression {
  const reads = new Set<string>()
  const step = linked(program, { variables, slots: [], reads, depth: 0, functions: {} })
  return {
    reads,
    decide(values) {
      try {
        const value = step({
          values,
          slots: [],
          mixes: false,
          ambient: null,
          made: null,
          steps: STEPS_MAX,
        })
        return value === true ? 'holds' : value === false ? 'fails_to_hold' : 'failed'
      } catch (error) {
        return error === WAITS ? 'undecided' : 'failed'
      }
    },
  }
}

/**
 * Links a program that gives a value. Unlike in CEL, integers and doubles mix: every number of JSON may be either.
 * @param variables Names that the program may read.
 * @throws RangeError for what is no program.
 */
export function toEvaluator(program: Program, variables: readonly string[]): Evaluator {
  const reads = new Set<string>()
  const step = linked(program, { variables, slots: [], reads, depth: 0, functions: VALUE_FUNCTIONS })
  return {
    reads,
    value(values, ambient = SYSTEM_AMBIENT) {
      const { budget } = ambient
      const steps = budget === undefined ? STEPS_MAX : Math.min(STEPS_MAX, budget.steps)
      const run: Evaluation = { values, slots: [], mixes: true, ambient, made: null, steps }
      try {
        return toJsonValue(run, step(run))
      } catch (error) {
        if (error instanceof Halt) throw new ExpressionFailure(error.reason)
        // The stack is full
        if (error instanceof RangeError) throw new ExpressionFailure('a value is nested too deeply')
        throw error
      } finally {
        if (budget !== undefined) budget.steps -= steps - run.steps
      }
    },
  }
}

interface Linking {
  readonly variables: readonly string[]
  readonly slots: readonly string[]
  readonly reads: Set<string>
  readonly depth: number
  /** Those beyond {@link FUNCTIONS}. None in conditions. */
  readonly functions: Readonly<Record<string, FunctionType>>
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
      return (run) =>
        made(
          run,
          items.map((item) => item(run)),
        )
    }
    case 'map':
      return mapStep(node.members, at)
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

function mapStep(members: readonly (readonly [Program, Program])[], at: Linking): Step {
  const steps = members.map(([name, value]) => [linked(name, at), linked(value, at)] as const)
  return (run) =>
    objectOf(
      run,
      steps.map(([name, value]) => [text(run, name(run)), value(run)] as const),
    )
}

function nameStep(name: string, { variables, slots, reads }: Linking): Step {
  const slot = slots.lastIndexOf(name)
  if (slot !== -1) return (run) => run.slots[slot]
  if (!variables.includes(name)) throw new RangeError(`there is no variable ${name}`)
  reads.add(name)
  return ({ values }) => {
    if (!Object.hasOwn(values, name)) throw new Halt('failed', `${name} has no value`)
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
  const sideOf = (side: Step, run: Evaluation): boolean | Halt => {
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
  const listed = (run: Evaluation): readonly unknown[] => {
    const items = list(run)
    if (!Array.isArray(items)) throw FAILED
    return items
  }
  const valueAt = (run: Evaluation, item: unknown): unknown => {
    run.slots[slot] = item
    return each(run)
  }
  if (macro === 'map')
    return (run) =>
      made(
        run,
        listed(run).map((item) => valueAt(run, item)),
      )
  if (macro === 'filter')
    return (run) =>
      made(
        run,
        listed(run).filter((item) => truth(valueAt(run, item))),
      )
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

/** Names of the functions of conditions, with the number of their arguments; a method counts its receiver. */
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
  if (Object.hasOwn(at.functions, name) && at.functions[name]!.takes.includes(given.length)) {
    const steps = given.map((one) => linked(one, at))
    const { call } = at.functions[name]!
    return (run) =>
      call(
        run,
        steps.map((step) => step(run)),
      )
  }
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

function converted(run: Evaluation, name: string, value: unknown): unknown {
  switch (name) {
    case 'size':
      return sizeOf(run, value)
    case 'string':
      if (typeof value === 'number' && !Number.isFinite(value)) throw FAILED
      if (typeof value === 'string') return text(run, value)
      if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean')
        return String(value)
      if (isTime(value)) return value.toText()
      throw FAILED
    case 'int':
      if (typeof value === 'bigint') return value
      if (value instanceof Timestamp) return BigInt(Math.floor(value.ms / 1000))
      if (run.mixes && typeof value === 'string') return readInt(text(run, value))
      if (typeof value !== 'number' || !Number.isFinite(value)) throw FAILED
      return withinInt(BigInt(Math.trunc(value)))
    case 'double':
      if (run.mixes && typeof value === 'string') return readDouble(text(run, value))
      if (!isNumber(value)) throw FAILED
      return Number(value)
    case 'lowerAscii':
      return text(run, value).replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
    default:
      return text(run, value).replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase())
  }
}

function readInt(given: string): bigint {
  if (!/^-?[0-9]{1,19}$/.test(given)) throw new Halt('failed', 'int takes the text of a whole number')
  return withinInt(BigInt(given))
}

function readDouble(given: string): number {
  if (!/^-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?$/.test(given))
    throw new Halt('failed', 'double takes the text of a number')
  return Number(given)
}

function sizeOf(run: Evaluation, value: unknown): bigint {
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

function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw NO_TRUTH
  return value
}

function memberOf(holder: unknown, key: string): unknown {
  if (!isPlain(holder) || !Object.hasOwn(holder, key)) throw new Halt('failed', `there is no member ${key}`)
  return (holder as Plain)[key]
}

function itemAt(holder: unknown, index: unknown): unknown {
  if (typeof index === 'string') return memberOf(holder, index)
  const at = typeof index === 'bigint' || Number.isInteger(index) ? Number(index) : -1
  if (!Array.isArray(holder) || at < 0 || at >= holder.length) throw NO_ITEM
  return holder[at] as unknown
}
