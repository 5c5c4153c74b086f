import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../test/support/any-json.ts'
import { edited, placeOf } from './exchange.ts'

const textAt = (text: string, ...names: string[]): string | null => {
  const place = placeOf(text, ...names)
  return place === null ? null : text.slice(place.from, place.to)
}

test('a value is found by its names, also when these are escaped, and its text is as it stands', () => {
  const text = ' {"a" : [1, "}"], "i\\u0064":\t-1.50e3 ,"p":{"id":"x\\"y","id2":{}}, "q":{} } '
  assert.equal(textAt(text, 'id'), '-1.50e3')
  assert.equal(textAt(text, 'a'), '[1, "}"]')
  assert.equal(textAt(text, 'p', 'id'), '"x\\"y"')
  assert.equal(textAt(text, 'p', 'id2'), '{}')
  for (const names of [['x'], ['p', 'x'], ['a', '0'], ['q', 'id'], ['id', 'id']])
    assert.equal(textAt(text, ...names), null, names.join('/'))
})

test('in any object each member is found, and to replace it changes nothing else', () => {
  const spaced = fc.constantFrom(0, 2, '\t')
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), anyJson({ maxDepth: 3 })),
      spaced,
      fc.string(),
      (object, space, other) => {
        const text = JSON.stringify({ ...object, [other]: 1, outer: { [other]: object } }, null, space)
        for (const name of Object.keys(object))
          if (name !== 'outer' && name !== other)
            assert.deepEqual(JSON.parse(textAt(text, name)!), JSON.parse(JSON.stringify(object[name])))
        if (other === 'outer') return
        const replaced = edited(text, [{ ...placeOf(text, 'outer', other)!, text: '"new"' }])
        assert.deepEqual(JSON.parse(replaced), {
          ...JSON.parse(text),
          outer: { [other]: 'new' },
        })
      },
    ),
  )
})
