import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ENDPOINTS, fakeGateway } from '../../../test/support/fake-gateway.ts'
import { withUsedSchemas } from '../../snapshot/offer/openapi-document.ts'
import { createCatalogues } from './catalogue.ts'
import { createDocs } from './docs.ts'

const docs = createDocs(fakeGateway())
const seen = createCatalogues()(ENDPOINTS)

test('any URI leads to what is listed, to a page of an endpoint, or to nothing', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      'orders',
      'openapi:',
      'docs:',
      '//',
      '/',
      'overview',
      'list-orders',
      '%2f',
      '..',
      '__proto__',
    ),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const uri = parts.join('')
      const content = docs.read(seen, uri)
      if (content !== null)
        assert.match(uri, /^(openapi:\/\/orders|docs:\/\/orders\/(overview|list-orders))$/)
    }),
    { numRuns: 2000 },
  )
  for (const { uri } of docs.list(seen) as readonly { uri: string }[]) assert.ok(docs.read(seen, uri)!.text)
  assert.equal(
    docs.read(seen, 'docs://orders/prx_list-orders')?.text,
    docs.read(seen, 'docs://orders/list-orders')?.text,
  )
})

test('a description holds the shared schemas that its endpoints use, and no others', () => {
  const document = JSON.parse(docs.read(seen, 'openapi://orders')!.text)
  assert.deepEqual(Object.keys(document.components.schemas), ['Order'])
  const without = createCatalogues()(ENDPOINTS.filter(({ proxy }) => proxy.slug === 'create-order'))
  assert.equal(JSON.parse(docs.read(without, 'openapi://orders')!.text).components, undefined)
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  const schemas = { A: ref('B'), B: { items: [ref('A'), ref('a~1b')] }, 'a/b': {}, C: ref('A') }
  const { components } = withUsedSchemas({ paths: { x: ref('A') }, components: { schemas } })
  assert.deepEqual(Object.keys((components as { schemas: object }).schemas), ['A', 'B', 'a/b'])
})

test('what a description says changes its version, and texts of endpoints stay in their cells', () => {
  const versionOf = (uri: string) => JSON.parse(docs.read(seen, uri)!.text).info.version as string
  assert.match(versionOf('openapi://orders'), /^.{12}$/)
  assert.equal(versionOf('openapi://orders'), versionOf('openapi://orders'))
  assert.notEqual(versionOf('openapi://orders'), versionOf('openapi://files'))
  const [first] = ENDPOINTS
  const odd = { ...first!, proxy: { ...first!.proxy, name: 'a | b\n| c' } }
  const page = docs.read(createCatalogues()([odd]), 'docs://files/overview')!.text
  assert.match(page, /\| \[a \\\| b \\\| c\]/)
})
