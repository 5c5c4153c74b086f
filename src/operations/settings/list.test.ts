import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refused, startControl } from '../../../test/control.ts'

test('settings are shown to who may read them, and to no narrow grant', async () => {
  const control = await startControl()
  const { output } = await control.run('settings.list', {})
  assert.deepEqual(output['items'], [
    { name: 'POSTERN_LISTEN', value: ':9000', source: 'flag', default: '127.0.0.1:8080' },
  ])
  for (const role of ['viewer', 'modifier', 'auditor'] as const)
    await refused(control.run('settings.list', {}, { role }), 'permission_denied')
  const scope = { types: [], verbs: [], collections: [], tags: ['money'] }
  await refused(control.run('settings.list', {}, { grants: [{ role: 'admin', scope }] }), 'permission_denied')
  const grants = [{ role: { permissions: new Set(['settings:read']) } }]
  assert.equal((await control.run('settings.list', {}, { grants })).status, 200)
  await control.close()
})
