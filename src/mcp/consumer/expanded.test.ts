import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ENDPOINTS, fakeGateway } from '../../../test/support/fake-gateway.ts'
import { createExpandedViews, freeName, NAME_CHARS_MAX } from './expanded.ts'

test('names of all collections are unlike each other, of few characters, and the same in each order', () => {
  const slug = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,60}$/)
  const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,60}$/)
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(slug, name), { selector: String, maxLength: 50 }), (pairs) => {
      const given = (all: typeof pairs) => {
        const taken = new Map<string, string>()
        for (const [of, own] of all)
          taken.set(freeName({ id: `col_${of}`, slug: of }, own, taken), `${of} ${own}`)
        return taken
      }
      const names = given(pairs)
      assert.equal(names.size, pairs.length)
      for (const one of names.keys()) assert.match(one, /^[A-Za-z0-9_.-]{1,64}$/)
      assert.deepEqual(new Map([...given(pairs.toReversed())].toReversed()), names)
    }),
  )
  assert.equal(freeName({ id: 'col_a', slug: 'shop' }, 'get_order', new Set()), 'shop_get_order')
  assert.equal(freeName({ id: 'col_a', slug: 's'.repeat(60) }, 'name', new Set()).length, NAME_CHARS_MAX)
})

test('a view is made once for a list, and counted without being made', async () => {
  const views = createExpandedViews(fakeGateway(), (expanded) => expanded)
  // The collections of the fake have no proxies of their own
  assert.equal(views.toolsIn(ENDPOINTS), 0)
  assert.equal(await views.of(ENDPOINTS), await views.of(ENDPOINTS))
})
