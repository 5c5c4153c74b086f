import { type Evaluation, FAILED, failed, isNumber, wholeNumber, withinInt } from './evaluation.ts'
import type { FunctionType } from './function-type.ts'

/** The largest number below which `math.random` chooses. */
const RANDOM_MAX = 2 ** 48

export const NUMBER_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  'math.abs': ofNumber(
    'abs',
    (value) => Math.abs(value),
    (value) => withinInt(value < 0n ? -value : value),
  ),
  'math.ceil': ofNumber('ceil', Math.ceil),
  'math.floor': ofNumber('floor', Math.floor),
  // Halves go away from zero, as the language has it
  'math.round': ofNumber('round', (value) => Math.sign(value) * Math.round(Math.abs(value))),
  'math.trunc': ofNumber('trunc', Math.trunc),
  'math.greatest': extreme('greatest', (a, b) => a >= b),
  'math.least': extreme('least', (a, b) => a <= b),
  'math.random': {
    takes: [1],
    signatures: ['math.random(int): int', 'math.random(double): int'],
    call: random,
  },
}

function ofNumber(
  name: string,
  double: (value: number) => number,
  integer: (value: bigint) => bigint = (value) => value,
): FunctionType {
  return {
    takes: [1],
    signatures: [`math.${name}(int): int`, `math.${name}(double): double`],
    call(_run, [value]) {
      if (typeof value === 'bigint') return integer(value)
      if (typeof value !== 'number') throw FAILED
      return double(value)
    },
  }
}

function extreme(name: string, isBefore: (a: number | bigint, b: number | bigint) => boolean): FunctionType {
  const types = ['int', 'double']
  const pairs = types.flatMap((a) => types.map((b) => [a, b]))
  const all = [...pairs, ...pairs.flatMap((pair) => types.map((c) => [...pair, c]))]
  return {
    takes: [2, 3],
    signatures: all.map((given) => `math.${name}(${given.join(', ')}): dyn`),
    call: (_run, given) =>
      given.reduce((best, value) => {
        if (!isNumber(best) || !isNumber(value)) throw FAILED
        return isBefore(best, value) ? best : value
      }),
  }
}

/** A whole number from 0 to `max` - 1, each as likely. No secret: the numbers can be guessed. */
function random({ ambient }: Evaluation, [max]: readonly unknown[]): bigint {
  const below = wholeNumber(max, 1, RANDOM_MAX)
  if (ambient === null) failed('there is no chance here')
  return BigInt(Math.floor(ambient.random() * below))
}
