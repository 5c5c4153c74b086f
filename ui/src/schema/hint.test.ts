import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type JsonObject, rowsOf, schemasOf } from '../../build/document.ts'
import { type Field, fieldsOf, hintOf } from './fields.ts'

const WORDS = { on: 'On', off: 'Off', labels: { hash_key: 'hash key' } }

test('a hint speaks of the form where the description speaks of JSON', () => {
  for (const [description, hint] of [
    ['Display name', ''],
    ['Time at which it ends; null: never', 'Time at which it ends; not set: never'],
    ['URL of the key. null: none', 'URL of the key. Not set: none'],
    ['Path at the upstream; the path itself when null', 'Path at the upstream; the path itself if not set'],
    ['That of the proxy with (copy) when absent', 'Default: that of the proxy with (copy)'],
    ['Absent: all pass; []: none', 'Not set: all pass; empty: none'],
    ['false: calls are refused', 'Off: calls are refused'],
    ['Ask before saving (default). false: save', 'Ask before saving (default). Off: save'],
    ['Also send X-RateLimit-Limit. Default false', 'Also send X-RateLimit-Limit'],
    ['By a hash of `hash_key`, or of `kid`', 'By a hash of hash key, or of kid'],
    ['Permissions, such as ["a:read", "b:*"]', 'Permissions, such as a:read, b:*'],
    ['Statuses, such as ["200-299"]; others count', 'Statuses, such as 200-299; others count'],
    ['Authentication, such as {"type":"bearer","token":"…"}', 'Authentication'],
    ['Inputs, such as {"value":"{{ $.body }}"}. Each run', 'Inputs. Each run'],
    ['Sent always, such as [{"name":"A"}] or [{"secret":{"env":"B"}}]', 'Sent always'],
    ['Counted in none. Such as [{"name":"minute"}]', 'Counted in none'],
    ['Short for a limit: {"max":100}; rolling', 'Short for a limit; rolling'],
    ['redact: [REDACTED:card]; mask: four', 'redact: [REDACTED:card]; mask: four'],
    [
      'Secret, never shown again: the text, or its source: {"env": name}, {"vault": {"path", "field"}}. Kept',
      'Secret, never shown again. Kept',
    ],
  ] as const)
    assert.equal(hintOf(description, WORDS), hint)
})

test('no hint of a form holds JSON, null, true, false or backticks', () => {
  const document = JSON.parse(
    readFileSync(new URL('../../../test/golden/openapi.json', import.meta.url), 'utf8'),
  ) as JsonObject
  const schemas = schemasOf(document)
  const faults: string[] = []
  const check = (description: string, at: string): void => {
    const isOfProgram = /`|\bnull\b|\b(?:true|false):|[[{]"|\[\]|\{\}|\babsent\b|Display name/.test(
      description,
    )
    if (isOfProgram) faults.push(`${at}: ${description}`)
  }
  const walk = (field: Field, above: string): void => {
    const at = `${above}.${field.name}`
    check(field.description, at)
    if (field.kind === 'group') for (const one of field.fields) walk(one, at)
    if (field.kind === 'list' || field.kind === 'map') walk(field.item, at)
    if (field.kind === 'variant')
      for (const { value, description, fields } of field.variants) {
        check(description, `${at}=${value}`)
        for (const one of fields) walk(one, `${at}=${value}`)
      }
  }
  const rows = Object.values(rowsOf(document)).filter(({ effect }) => effect !== 'read')
  for (const { resource, action } of rows) {
    const { actions, $defs } = schemas[resource]!
    for (const field of fieldsOf(actions[action]!.input, $defs)) walk(field, `${resource}.${action}`)
  }
  assert.ok(rows.length > 100)
  assert.deepEqual([...new Set(faults)], [])
})

test('the texts of others are shown as they stand', () => {
  const schema = {
    type: 'object',
    properties: { it: { type: 'string', description: 'one of `a`; null: b' } },
  }
  assert.equal(fieldsOf(schema, {}, (text) => text)[0]?.description, 'one of `a`; null: b')
})
