import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { collection, endpointOf } from '../../../test/support/fake-gateway.ts'
import { matchPath, toPattern } from '../endpoints/parameter-text.ts'
import { createCatalogues } from './catalogue.ts'

const api = collection('api', 'API', '')

test('a concrete path finds just what its pattern fits, however many endpoints there are', () => {
  const segment = fc.constantFrom('a', 'b', 'a%2Fb', '{p}', '{p}:b', 'a{p}', '{p}.{q}')
  const pattern = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/*'))
    .map(([segments, end]) => {
      let count = 0
      return `/${segments.join('/')}${end}`.replaceAll(/\{\w\}/g, () => `{p${count++}}`)
    })
  const path = fc
    .array(fc.constantFrom('a', 'b', 'ab', 'a:b', 'a.b', '%61', 'a%2Fb', 'c'), { minLength: 1, maxLength: 4 })
    .map((segments) => `/${segments.join('/')}`)
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { minLength: 1, maxLength: 12 }),
      fc.array(path, { minLength: 1, maxLength: 10 }),
      (patterns, paths) => {
        const endpoints = patterns.map((text, index) =>
          endpointOf(api, `e${index}`, `E${index}`, ['GET'], text),
        )
        const catalogue = createCatalogues()(endpoints)
        for (const one of paths) {
          const fitting = endpoints.filter((endpoint) => matchPath(toPattern(endpoint.path), one) !== null)
          const found = catalogue.find(one, null)
          const given =
            found.kind === 'one' ? [found.endpoint] : found.kind === 'several' ? found.endpoints : []
          assert.equal(given.length > 0, fitting.length > 0, `${one} in ${patterns.join(' ')}`)
          for (const endpoint of given) assert.ok(fitting.includes(endpoint), `${one} found ${endpoint.path}`)
        }
        for (const endpoint of endpoints) {
          const found = catalogue.find(`GET ${endpoint.path}`, null)
          assert.ok(found.kind === 'one' && found.endpoint === endpoint, endpoint.path)
        }
      },
    ),
    { numRuns: 300 },
  )
})
