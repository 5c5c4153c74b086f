import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { PROBLEMS } from '../base/refusal.ts'
import { PERMISSIONS } from '../model/access/access.ts'
import { OPERATIONS } from './registry.ts'

const nameOf = (one: { resource: string; action: string }): string => `${one.resource}.${one.action}`

test('no input is an alternative at its root, and every schema can be published', () => {
  for (const operation of OPERATIONS) {
    const input = z.toJSONSchema(operation.input, { io: 'input' })
    assert.equal(input.type, 'object', nameOf(operation))
    for (const word of ['oneOf', 'anyOf', 'allOf']) assert.equal(word in input, false, nameOf(operation))
    assert.equal(input.additionalProperties, false, nameOf(operation))
    const output = z.toJSONSchema(operation.output, { io: 'output' })
    assert.equal(output.type, 'object', nameOf(operation))
  }
})

test('what a patch takes has no defaults, so that silence changes nothing', () => {
  for (const operation of OPERATIONS.filter((one) => one.action === 'update')) {
    const silent = 'id' in operation.input.shape ? { id: 'x' } : {}
    assert.deepEqual(operation.input.parse(silent), silent, nameOf(operation))
  }
})

test('nothing that can be called changes or deletes entries of the trail, and no permission is for that', () => {
  const own = OPERATIONS.filter(({ resource }) => resource === 'audit')
  assert.deepEqual(own.map(nameOf), ['audit.list', 'audit.get', 'audit.verify'])
  assert.ok(own.every(({ effect }) => effect === 'read'))
  const permissions = [...PERMISSIONS, ...OPERATIONS.map(({ permission }) => permission)]
  const verbs = new Set(permissions.filter((one) => one.startsWith('audit:')))
  assert.deepEqual([...verbs].sort(), ['audit:export', 'audit:read', 'audit:verify'])
})

const READ_REFUSALS: ReadonlySet<string> = new Set([
  'not_found',
  'records_unavailable',
  'not_ready',
  'document_invalid',
  'managed_elsewhere',
])

test('every refusal is in the closed list, and reads refuse nothing that only writes can', () => {
  for (const operation of OPERATIONS) {
    for (const code of operation.refuses) assert.ok(code in PROBLEMS, code)
    // A definition that is tried is judged as if it were stored, and a server that is asked may be one that cannot be used
    const judges = (code: string): boolean =>
      code === 'configuration_invalid' &&
      (Object.hasOwn(operation.input.shape, 'definition') || nameOf(operation) === 'origins.authorization')
    if (operation.effect === 'read')
      assert.ok(
        operation.refuses.every((code) => READ_REFUSALS.has(code) || judges(code)),
        nameOf(operation),
      )
    else assert.ok(operation.refuses.includes('idempotency_conflict'), nameOf(operation))
  }
})
