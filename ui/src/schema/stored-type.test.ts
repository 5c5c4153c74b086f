import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type JsonObject, schemasOf } from '../../build/document.ts'
import { fieldsOf, ofStoredType } from './fields.ts'

const document = JSON.parse(
  readFileSync(new URL('../../../test/golden/openapi.json', import.meta.url), 'utf8'),
) as JsonObject
const { actions, $defs } = schemasOf(document)['credentials']!
const fields = (action: string) => fieldsOf(actions[action]!.input, $defs)

/** Members of `auth` that the rotation of a credential asks for. */
function askedOf(stored: JsonObject): readonly string[] {
  const auth = ofStoredType(fields('rotate'), fields('create'), stored).find(({ name }) => name === 'auth')!
  assert.ok(auth.kind === 'group')
  return auth.fields.map(({ name }) => name)
}

test('a credential is rotated by the members of its type, and its type is not asked for', () => {
  assert.deepEqual(askedOf({ auth: { type: 'bearer' } }), ['token'])
  assert.deepEqual(askedOf({ auth: { type: 'basic' } }), ['username', 'password'])
})

test('members of all types are asked for where the type is not known', () => {
  for (const stored of [{}, { auth: null }, { auth: { type: 'later' } }] as JsonObject[])
    assert.ok(askedOf(stored).length > 10)
})
