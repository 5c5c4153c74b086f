import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { printable } from '../../base/text/visible.ts'
import { jsonSchemasOf } from '../fields.ts'
import { UsageError } from './exit.ts'
import { leadIntoLists, setPath, takeLists } from './set.ts'
import { toSheet, toTable } from './table.ts'

const SCHEMA = jsonSchemasOf(
  z.object({
    text: z.string(),
    count: z.int(),
    on: z.boolean(),
    maybe: z.string().nullable(),
    words: z.array(z.string()),
    free: z.json(),
    auth: z.discriminatedUnion('type', [
      z.object({ type: z.literal('none') }),
      z.object({ type: z.literal('token'), days: z.int(), code: z.string() }),
    ]),
    targets: z.array(z.object({ url: z.string() })),
  }),
).input

function set(...assignments: string[]): Record<string, unknown> {
  const target: Record<string, unknown> = {}
  for (const assignment of assignments) setPath(target, assignment, SCHEMA)
  return target
}

test('the schema says what a text stands for', () => {
  assert.deepEqual(set('text=12', 'count=12', 'on=false', 'maybe=null', 'words=["a"]', 'words[1]=7'), {
    text: '12',
    count: 12,
    on: false,
    maybe: null,
    words: ['a', '7'],
  })
  assert.deepEqual(set('auth.type=token', 'auth.days=3', 'auth.code=007'), {
    auth: { type: 'token', days: 3, code: '007' },
  })
  assert.deepEqual(set('targets[0].url=http://a?b=c', 'free.a=1', 'free.b=x', 'unknown=true'), {
    targets: [{ url: 'http://a?b=c' }],
    free: { a: 1, b: 'x' },
    unknown: true,
  })
})

test('a place in a list may be written with a dot, unless the schema wants an object there', () => {
  assert.deepEqual(set('targets.0.url=a', 'targets.1.url=b', 'free.0=x'), {
    targets: [{ url: 'a' }, { url: 'b' }],
    free: ['x'],
  })
  const schema = jsonSchemasOf(z.object({ codes: z.record(z.string(), z.string()) })).input
  const target: Record<string, unknown> = {}
  setPath(target, 'codes.200=ok', schema)
  assert.deepEqual(target, { codes: { 200: 'ok' } })
})

test('a path or value that does not fit is refused', () => {
  for (const wrong of [
    'text',
    '=1',
    'a..b=1',
    'a[=1',
    '__proto__.x=1',
    'a.__proto__=1',
    'words[5]=x',
    'count=x',
    'on=1',
    'words[99999]=x',
    'words=a',
  ])
    assert.throws(() => set(wrong), UsageError, wrong)
  assert.throws(() => set('words[0]=a', 'words.x=1'), UsageError)
})

test('an element of a list is changed in the list as it is, without what an answer shows of secrets', () => {
  const current = {
    targets: [{ url: 'a' }, { url: 'b', secret: { set: true, source: 'value', updated_at: '' } }],
    deep: { list: [{ n: 1 }], other: 1 },
    words: ['x', 'y'],
  }
  const change = (target: Record<string, unknown>, ...assignments: string[]) => {
    takeLists(target, assignments, current)
    for (const assignment of assignments) setPath(target, assignment, SCHEMA)
    return target
  }
  assert.deepEqual(change({}, 'targets.1.url=c', 'text=t'), {
    targets: [{ url: 'a' }, { url: 'c' }],
    text: 't',
  })
  assert.deepEqual(change({}, 'deep.list[0].n=2', 'words[2]=z'), {
    deep: { list: [{ n: 2 }] },
    words: ['x', 'y', 'z'],
  })
  // A list that the command line has is the one that is meant
  assert.deepEqual(change({ words: ['a'] }, 'words[0]=b'), { words: ['b'] })
  assert.deepEqual(current.words, ['x', 'y'])
  assert.throws(() => change({}, 'words[3]=z'), {
    message: '--set words[3]: the list has 2 elements, [0] to [1]: [2] adds one, and [3] is beyond it.',
  })
  assert.throws(() => change({}, 'none[1].a=z'), {
    message: '--set none[1].a: the list is empty: [0] adds an element, and [1] is beyond it.',
  })
  assert.ok(!leadIntoLists(['deep.other=2', 'words=["a"]']))
})

test('a value of the wrong kind is told with the kind that is wanted', () => {
  assert.throws(() => set('count=x'), { message: '--set count: "x" is not a whole number.' })
})

test('no assignment reaches a prototype, and only usage errors are thrown', () => {
  const step = fc.constantFrom('__proto__', 'constructor', 'prototype', 'a', '[0]', '[1]', 'text', 'words')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(step, { maxLength: 4 }), fc.string()), { maxLength: 4 }),
      (all) => {
        const target: Record<string, unknown> = {}
        for (const [steps, value] of all) {
          try {
            takeLists(target, [`${steps.join('.').replaceAll('.[', '[')}=`], target)
            setPath(target, `${steps.join('.').replaceAll('.[', '[')}=${value}`, SCHEMA)
          } catch (error) {
            assert.ok(error instanceof UsageError, String(error))
          }
        }
        assert.equal(Object.getPrototypeOf(target), Object.prototype)
        assert.equal(({} as Record<string, unknown>)['a'], undefined)
        assert.deepEqual(Object.keys(Object.prototype), [])
      },
    ),
    { numRuns: 500 },
  )
})

test('whatever a server says, a terminal is given nothing to obey', () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue())
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), value), (item) => {
      for (const text of [toSheet(item, false), toTable([item], ['a', 'b.c'], false)])
        assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{C}\p{Zl}\p{Zp}]/u)
    }),
    { numRuns: 300 },
  )
  assert.equal(printable('a\u001b[2Jb'), 'a\\u001b[2Jb')
})

test('characters that a terminal does not show are shown escaped, so that different values look different', () => {
  for (const unseen of [
    '\u200b',
    '\u2060',
    '\ufeff',
    '\u00ad',
    '\u061c',
    '\u3164',
    '\u2800',
    '\ufe0f',
    '\u{e0041}',
    '\ud800',
    '\ue000',
  ]) {
    const units = unseen.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    assert.equal(printable(`a${unseen}b`), `a${units.join('')}b`)
  }
  assert.equal(printable('Zoë Łódź 北京 שלום 🙂'), 'Zoë Łódź 北京 שלום 🙂')
})
