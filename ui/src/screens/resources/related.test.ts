import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type JsonObject, schemasOf } from '../../../build/document.ts'
import { filtersOf } from '../../schema/columns.ts'
import { RELATED } from './related.ts'

const document = JSON.parse(
  readFileSync(new URL('../../../../test/golden/openapi.json', import.meta.url), 'utf8'),
) as JsonObject
const schemas = schemasOf(document)

test('each list of what belongs to a resource takes its filter', () => {
  for (const [resource, lists] of Object.entries(RELATED)) {
    assert.ok(schemas[resource]?.actions['get'], resource)
    for (const { list, filter } of lists) {
      const names = filtersOf(schemas[list]!).map(({ name }) => name)
      assert.ok(names.includes(filter), `${resource}: ${list} has ${names.join(' ')}`)
    }
  }
})
