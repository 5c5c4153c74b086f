/** Operators of expressions. */
import { isPlain } from '../../json/storable.ts'
import {
  type Evaluation,
  FAILED,
  Halt,
  isNumber,
  made,
  payText,
  spend,
  text,
  withinInt,
} from './evaluation.ts'
import { areTimes, computedTime, isTime, type Timestamp } from './times.ts'

export const BINARY_SIGNS = ['==', '!=', '<', '<=', '>', '>=', 'in', '+', '-', '*', '/', '%'] as const
export type BinarySign = (typeof BINARY_SIGNS)[number]

const NO_SUM = new Halt('failed', '+ takes two numbers, two texts or two lists')

export function binary(run: Evaluation, sign: BinarySign, left: unknown, right: unknown): unknown {
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
      return compare(run, sign, left, right)
    default:
      return computed(run, sign, left, right)
  }
}

/** Values of different kinds differ; integers and doubles are compared as numbers. */
export function isEqual(run: Evaluation, left: unknown, right: unknown): boolean {
  spend(run, 1)
  if (typeof left === 'string' && typeof right === 'string') return text(run, left) === right
  if (isNumber(left) && isNumber(right))
    // Mathematically exact between an integer and a double
    // biome-ignore lint/suspicious/noDoubleEquals: both are numbers
    return left == right
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, at) => isEqual(run, item, right[at]))
  if (isTime(left) || isTime(right))
    return areTimes(left, right) && (left as Timestamp).ms === (right as Timestamp).ms
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

/** Numbers, texts, or times have an order; values of different kinds have none. */
export function compare(
  run: Evaluation,
  sign: '<' | '<=' | '>' | '>=',
  left: unknown,
  right: unknown,
): boolean {
  spend(run, 1)
  if (areTimes(left, right)) return compared(sign, (left as Timestamp).ms, (right as Timestamp).ms)
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
export function computed(
  run: Evaluation,
  sign: '+' | '-' | '*' | '/' | '%',
  left: unknown,
  right: unknown,
): unknown {
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    if ((sign === '/' || sign === '%') && right === 0n) throw FAILED
    return withinInt(integer(sign, left, right))
  }
  if (typeof left === 'number' && typeof right === 'number' && (sign !== '%' || run.mixes))
    return double(sign, left, right)
  if (run.mixes && isNumber(left) && isNumber(right)) return double(sign, Number(left), Number(right))
  const time = computedTime(sign, left, right)
  if (time !== undefined) return time
  if (sign !== '+') throw FAILED
  if (typeof left === 'string' && typeof right === 'string') {
    if (run.mixes) payText(run, left.length + right.length)
    return text(run, left) + text(run, right)
  }
  if (!Array.isArray(left) || !Array.isArray(right)) throw NO_SUM
  spend(run, left.length + right.length)
  return made(run, [...left, ...right])
}

function double(sign: '+' | '-' | '*' | '/' | '%', left: number, right: number): number {
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
