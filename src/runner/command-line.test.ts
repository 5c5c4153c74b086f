import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FilledArguments, fillArguments } from './command-line.ts'
import type { ParameterSpec } from './file-schema.ts'

const parameter = (spec: Partial<ParameterSpec> = {}): ParameterSpec => ({ required: true, ...spec })

const filled = (
  args: string[],
  parameters: Record<string, ParameterSpec>,
  values: Record<string, unknown>,
): FilledArguments => fillArguments({ args, parameters }, values)

test('values stand as a whole argument and inside of one, and braces without a name stay', () => {
  const parameters = { a: parameter(), b: parameter({ pattern: '.*' }) }
  assert.deepEqual(
    filled(['{a}', 'x={b}{a}', '{"json":{}}', '{A}', '{}'], parameters, { a: '1', b: '{a} $(id)' }),
    {
      args: ['1', 'x={a} $(id)1', '{"json":{}}', '{A}', '{}'],
    },
  )
})

test('a value is no pattern of replacement', () => {
  const parameters = { a: parameter({ pattern: '.*' }) }
  assert.deepEqual(filled(['<{a}>'], parameters, { a: '$&$1$$' }), { args: ['<$&$1$$>'] })
})

test('arguments with an optional parameter that is absent are left out', () => {
  const parameters = { a: parameter({ required: false }), b: parameter() }
  assert.deepEqual(filled(['--a={a}', '{b}', '{a}{b}'], parameters, { b: 'x' }), { args: ['x'] })
})

test('a value does not become an option, unless it is listed', () => {
  const bad = { errors: [{ pointer: '/a', reason: 'must not begin with -: it would be an option' }] }
  assert.deepEqual(filled(['{a}'], { a: parameter({ pattern: '.*' }) }, { a: '--delete' }), bad)
  assert.deepEqual(filled(['x{a}'], { a: parameter({ pattern: '.*' }) }, { a: '--delete' }), {
    args: ['x--delete'],
  })
  assert.deepEqual(filled(['{a}'], { a: parameter({ enum: ['-v'] }) }, { a: '-v' }), { args: ['-v'] })
  // Of two values, the second comes first when the first is empty
  const two = { a: parameter({ pattern: '.*' }), b: parameter({ pattern: '.*' }) }
  assert.ok('errors' in filled(['{a}{b}'], two, { a: '', b: '-x' }))
})

test('values without a rule are plain names', () => {
  for (const value of ['a', 'A1._@:+-', '@scope', '0'])
    assert.ok('args' in filled(['{a}'], { a: parameter() }, { a: value }), value)
  for (const value of ['', '..', '.a', '-a', 'a/b', 'a b', 'a\n', 'ä', 'a'.repeat(257), 1, null, ['a'], {}])
    assert.ok('errors' in filled(['{a}'], { a: parameter() }, { a: value }), String(value))
})

test('a pattern holds for the whole value, and time is linear in it', () => {
  const parameters = { a: parameter({ pattern: 'a|b' }) }
  assert.ok('args' in filled(['{a}'], parameters, { a: 'b' }))
  for (const value of ['ab', 'xa', 'a\nb', 'a\n', '\na'])
    assert.ok('errors' in filled(['{a}'], parameters, { a: value }), JSON.stringify(value))
  const slow = { a: parameter({ pattern: '(a+)+' }) }
  assert.ok('errors' in filled(['{a}'], slow, { a: `${'a'.repeat(1000)}!` }))
})

test('names of members of every object are no parameters', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
    assert.ok('errors' in filled(['x'], {}, JSON.parse(`{"${name}":"a"}`)), name)
})

test('whatever the values are, each fixed argument stays one argument with its fixed parts', () => {
  const parameters = { a: parameter({ pattern: '[^\\n]*' }), b: parameter({ pattern: '[^\\n]*' }) }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (a, b) => {
      const result = filled(['-x', '--file={a}', 'pre{b}post'], parameters, { a, b })
      if ('args' in result) assert.deepEqual(result.args, ['-x', `--file=${a}`, `pre${b}post`])
    }),
  )
})
