import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { yamlTextOf } from './yaml-text.ts'

test('each document begins with ---, hidden characters are escapes, and the text reads back as the documents', () => {
  const long = 'word '.repeat(60).trim()
  const documents = [
    { kind: 'policy', slug: 'gold', spec: { name: 'Gold', description: long } },
    {
      kind: 'policy',
      slug: 'odd',
      spec: { name: 'a\u200bb\u{e0041}', description: 'two \nlines', no: 'no' },
    },
  ]
  const text = yamlTextOf(documents)
  assert.ok(text.startsWith('---\nkind: policy\nslug: gold\nspec:\n  name: Gold\n'), text)
  assert.ok(text.includes(`description: ${long}\n`), 'long text is one line')
  assert.ok(text.includes('"a\\u200bb\\U000e0041"'), text)
  assert.deepEqual(
    parseAllDocuments(text).map((one) => one.toJSON()),
    documents,
  )
  assert.equal(yamlTextOf([]), '')
})
