import fc from 'fast-check'

/** Objects of JSON that cannot be made a text or a number: `String` and `Number` throw. */
export const ODD: readonly object[] = [
  { toString: 1, valueOf: 1 },
  { toString: null, valueOf: null, length: -1, constructor: [], hasOwnProperty: 0 },
]

/** Values of JSON as peers may send them; also objects whose members hide the methods that all objects have. */
export function anyJson(constraints: fc.JsonSharedConstraints = {}): fc.Arbitrary<unknown> {
  const odd = fc.constantFrom(...ODD)
  return fc.oneof(
    { weight: 4, arbitrary: fc.jsonValue(constraints) },
    { weight: 1, arbitrary: odd },
    { weight: 1, arbitrary: odd.map((value) => [value]) },
    { weight: 1, arbitrary: fc.dictionary(fc.string(), odd, { maxKeys: 3 }) },
  )
}
