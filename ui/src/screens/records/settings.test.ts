import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settingLinksOf } from './settings.ts'

const places = (setting: string) =>
  settingLinksOf(setting).map(({ resource, id, pointer }) =>
    resource === null ? null : `${resource}/${id}#${pointer}`,
  )

test('each setting of an explanation leads to the field of its resource', () => {
  assert.deepEqual(places('profiles/acme:live ip_allowlist'), ['profiles/acme:live#/ip_allowlist'])
  assert.deepEqual(places('clients/acme active, valid_until; profiles/acme:live active'), [
    'clients/acme#/active',
    'clients/acme#/valid_until',
    'profiles/acme:live#/active',
  ])
  assert.deepEqual(places('proxies/orders:report request_validation: enforce'), [
    'proxies/orders:report#/request_validation',
  ])
})

test('a policy leads to its limits, and a resource without a field to itself', () => {
  assert.deepEqual(places('policies/gold of the client; credentials/crd_1'), [
    'policies/gold#/limits',
    'credentials/crd_1#',
  ])
})

test('text that names no resource has no link', () => {
  assert.deepEqual(places('the process'), [null])
})
