import fc from 'fast-check'
import type { Json } from './parameter-forms.ts'

/** One value, twice. */
interface Pair {
  /** Valid by the schema as it is written. */
  readonly full: Json
  /** Without what is read-only, as a client sends it. */
  readonly sent: Json
}

/** A schema, and values that are valid by it. */
interface Made {
  readonly schema: Record<string, unknown>
  readonly value: fc.Arbitrary<Pair>
}

/** Makes a failure come again. */
export const SEED = 20_261_122
const same = (arbitrary: fc.Arbitrary<Json>): fc.Arbitrary<Pair> =>
  arbitrary.map((full) => ({ full, sent: full }))
const cents = fc.integer({ min: -100_000, max: 100_000 }).map((count) => Number(`${count / 100}`))

const leaf: fc.Arbitrary<Made> = fc.constantFrom<Made>(
  { schema: { type: 'integer', minimum: -9 }, value: same(fc.integer({ min: -9 })) },
  { schema: { type: 'number', multipleOf: 0.01 }, value: same(cents) },
  { schema: { type: 'number', exclusiveMaximum: 1 }, value: same(fc.constantFrom(0.5, -0, -1e20)) },
  { schema: { type: 'boolean' }, value: same(fc.boolean()) },
  {
    schema: { type: ['string', 'null'], maxLength: 3 },
    value: same(fc.constantFrom('', 'abc', '😀😀😀', null)),
  },
  { schema: { type: 'string', pattern: '^\\S*$' }, value: same(fc.constantFrom('', 'a', '\u200b')) },
  { schema: { type: 'string', pattern: '^a.c$' }, value: same(fc.constantFrom('abc', 'a😀c', 'a\u00a0c')) },
  { schema: { type: 'string', format: 'date' }, value: same(fc.constant('2024-02-29')) },
  {
    schema: { type: 'string', format: 'date-time' },
    value: same(fc.constantFrom('2024-02-29t00:00:00z', '1998-12-31T23:59:60Z')),
  },
  { schema: { enum: ['a', 1, null, ['x']] }, value: same(fc.constantFrom<Json>('a', 1, null, ['x'])) },
  { schema: { const: 0 }, value: same(fc.constantFrom(0, -0)) },
  { schema: { type: 'string', 'x-other': true, format: 'of-our-own' }, value: same(fc.constant('anything')) },
)

/** Schemas of at most so many levels. */
export const made: fc.Memo<Made> = fc.memo((depth) => {
  if (depth <= 1) return leaf
  const inner = made(depth - 1)
  const member = fc.record({
    one: inner,
    isRequired: fc.boolean(),
    isReadOnly: fc.boolean(),
    wrap: fc.constantFrom('plain', 'allOf', 'anyOf'),
  })
  const object = fc
    .tuple(fc.array(member, { maxLength: 3 }), fc.boolean(), fc.constantFrom('here', 'beside'))
    .map(([members, isClosed, place]): Made => {
      const names = members.map((_, index) => `m${index}`)
      const schemas = members.map(({ one, isReadOnly, wrap }) => {
        const marked = isReadOnly ? { readOnly: true } : {}
        if (wrap === 'plain') return { ...one.schema, ...marked }
        return wrap === 'allOf'
          ? { allOf: [{ ...one.schema, ...marked }] }
          : { anyOf: [{ ...one.schema, ...marked }, { type: 'null' }] }
      })
      const properties = Object.fromEntries(names.map((name, index) => [name, schemas[index]]))
      const required = names.filter((_, index) => members[index]!.isRequired)
      const closed = isClosed ? { additionalProperties: false } : {}
      return {
        schema:
          place === 'here'
            ? { type: 'object', properties, required, ...closed }
            : { type: 'object', allOf: [{ properties, ...closed }, { required }] },
        value: fc
          .tuple(
            ...members.map(({ one, isRequired }) =>
              fc.tuple(one.value, isRequired ? fc.constant(true) : fc.boolean()),
            ),
          )
          .map((values) => {
            const there = values
              .map(([pair, isThere], index) => ({ pair, isThere, name: names[index]! }))
              .filter(({ isThere }) => isThere)
            const kept = there.filter(({ name }) => !members[names.indexOf(name)]!.isReadOnly)
            return {
              full: Object.fromEntries(there.map(({ name, pair }) => [name, pair.full])),
              sent: Object.fromEntries(kept.map(({ name, pair }) => [name, pair.sent])),
            }
          }),
      }
    })
  const list = fc.tuple(inner, fc.boolean()).map(
    ([one, uniqueItems]): Made => ({
      schema: { type: 'array', items: one.schema, uniqueItems },
      value: fc
        .uniqueArray(one.value, { maxLength: 3, selector: ({ sent }) => JSON.stringify(sent) })
        .map((pairs) => ({ full: pairs.map(({ full }) => full), sent: pairs.map(({ sent }) => sent) })),
    }),
  )
  const choice = fc
    .tuple(fc.constantFrom('oneOf', 'anyOf'), fc.array(inner, { minLength: 1, maxLength: 3 }))
    .map(
      ([keyword, some]): Made => ({
        schema: { [keyword]: some.map(({ schema }) => schema) },
        value: fc.oneof(...some.map(({ value }) => value)),
      }),
    )
  const turned = fc.tuple(inner, inner, fc.constantFrom('not', 'if')).map(
    ([one, other, keyword]): Made => ({
      schema: keyword === 'not' ? { not: other.schema } : { if: other.schema, else: one.schema },
      // What is read-only in a schema that is not there is sent like everything else.
      value:
        keyword === 'not'
          ? one.value.map(({ full }) => ({ full, sent: full }))
          : fc.oneof(one.value, other.value),
    }),
  )
  return fc.oneof({ weight: 3, arbitrary: object }, list, choice, turned, leaf)
})
