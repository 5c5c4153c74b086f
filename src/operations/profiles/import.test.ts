import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { example, refused, startControl } from '../../../test/control.ts'
import { importFault, printOfImported } from '../../base/crypto/token.ts'
import type { ClientFragment } from '../../snapshot/fragments.ts'

const KEY = 'PLANTED-key-of-another-gateway'

test('an imported token is kept as a keyed hash, and stands in no answer, entry, export or file', async () => {
  const control = await startControl()
  await example(control)
  const { output } = await control.run('profiles.import', { id: 'sandbox', token: KEY })
  const id = String(output['credential_id'])
  assert.match(id, /^key_/)
  assert.match(String(output['token_expires_at']), /Z$/)
  const fragment = control.published.at(-1)!.put.find((one) => one.fragment.kind === 'client')!
    .fragment as ClientFragment
  const known = fragment.profiles.flatMap(({ tokens }) => tokens).find((one) => one.id === id)
  const { lookup, hash } = printOfImported(control.vault.importedKey(), KEY)
  assert.deepEqual([known?.lookup, known?.hash], [lookup, hash])
  assert.notEqual(printOfImported(new Uint8Array(32), KEY).hash, hash)
  const told = await Promise.all([
    control.run('audit.list', {}),
    control.run('profiles.get', { id: 'sandbox' }),
    control.run('profiles.state', { id: 'sandbox' }),
    control.run('config.export', {}),
  ])
  assert.doesNotMatch(JSON.stringify([output, told]), /PLANTED/)
  for (const file of readdirSync(control.directory, { recursive: true, encoding: 'utf8' }))
    if (/\.(db|db-wal|mark)$/.test(file))
      assert.ok(!readFileSync(join(control.directory, file)).includes('PLANTED'), file)
  await control.close()
})

test('a repeated import changes nothing; a token of another profile, and one that was revoked, are refused', async () => {
  const control = await startControl()
  await example(control)
  const first = await control.run('profiles.import', { id: 'sandbox', token: KEY })
  const again = await control.run('profiles.import', { id: 'sandbox', token: KEY })
  assert.equal(again.output['credential_id'], first.output['credential_id'])
  assert.equal(again.output['revision'], first.output['revision'])
  const other = await refused(
    control.run('profiles.import', { id: 'acme:default', token: KEY }),
    'configuration_invalid',
  )
  assert.doesNotMatch(JSON.stringify(other), /PLANTED|sandbox/)
  await control.run('profiles.revoke', { id: 'sandbox', credential_id: first.output['credential_id'] })
  await refused(control.run('profiles.import', { id: 'sandbox', token: KEY }), 'configuration_invalid')
  await control.close()
})

test('what cannot be a token is refused without being named, and a profile has at most ten that work', async () => {
  const control = await startControl()
  await example(control)
  for (const token of ['PLANTED-15-char', 'PLANTED', '', `PLANTED${'x'.repeat(600)}`]) {
    const refusal = await refused(
      control.run('profiles.import', { id: 'sandbox', token }),
      'configuration_invalid',
    )
    assert.doesNotMatch(`${refusal.message} ${JSON.stringify(refusal)}`, /PLANTED/)
  }
  for (const text of [
    'with a space in it',
    'pst_pk_0123456789abcdef',
    'eyJhbGciOi.eyJpc3MiOiJ4.c2ln',
    'schlüssel-mit-umlaut',
  ])
    assert.notEqual(importFault(text), null, text)
  assert.equal(importFault('x'.repeat(16)), null)
  const open = await refused(
    control.run('profiles.import', { id: 'open', token: KEY }),
    'configuration_invalid',
  )
  assert.match(open.message, /of type none/)
  for (let at = 1; at < 10; at++)
    await control.run('profiles.import', { id: 'sandbox', token: `${KEY}${at}` })
  await refused(control.run('profiles.import', { id: 'sandbox', token: KEY }), 'configuration_invalid')
  await control.close()
})

test('importing needs profiles:rotate for the profile', async () => {
  const control = await startControl()
  await example(control)
  const input = { id: 'sandbox', token: KEY }
  await refused(control.run('profiles.import', input, { role: 'viewer' }), 'permission_denied')
  await control.run('profiles.import', input, { role: 'modifier', dryRun: true })
  await control.run('profiles.import', input, { role: 'modifier' })
  await control.close()
})
