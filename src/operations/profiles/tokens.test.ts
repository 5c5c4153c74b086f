import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { type Control, example, refused, startControl, UNSERVED } from '../../../test/control.ts'
import { hashToken, isToken } from '../../base/crypto/token.ts'
import { refuse } from '../../base/refusal.ts'
import type { RequestRecord } from '../../model/record.ts'
import type { ClientFragment, TokenFragment } from '../../snapshot/fragments.ts'

const DAY = 86_400_000

/** The tokens of the profile as the last delta told gateway threads. */
function published(control: Control, slug: string): readonly TokenFragment[] {
  const client = control.published.at(-1)!.put.find((one) => one.fragment.kind === 'client')
  return (client!.fragment as ClientFragment).profiles.find((profile) => profile.slug === slug)!.tokens
}

async function states(control: Control): Promise<string[]> {
  const { output } = await control.run('profiles.state', { id: 'sandbox' })
  return (output['credentials'] as { state: string }[]).map((one) => one.state)
}

test('a new profile of type token answers with its token once, and threads get only its hash', async () => {
  const control = await startControl()
  const { token } = await example(control)
  assert.ok(isToken('pk', token))
  const [known] = published(control, 'sandbox')
  assert.equal(known?.hash, hashToken(token))
  assert.equal('token' in (await control.run('profiles.get', { id: 'sandbox' })).output, false)
  assert.deepEqual(await states(control), ['valid'])
  control.move(84 * DAY)
  assert.deepEqual(await states(control), ['expiring_soon'])
  control.move(7 * DAY)
  assert.deepEqual(await states(control), ['expired'])
  await control.close()
})

test('get and the list show the state and end of the best credential of a profile', async () => {
  const control = await startControl()
  await example(control)
  const { certificate } = issue({ name: 'Root', until: Date.now() + 200 * DAY })
  const mtls = { type: 'mtls', bindings: [{ ca: certificate, san_dns: 'a.test' }] }
  await control.run('profiles.create', { client: 'acme', name: 'Bound', auth: mtls })
  await control.run('profiles.create', { client: 'acme', name: 'Signed', auth: { type: 'jwt' } })
  const shown = async (): Promise<Record<string, unknown>> => {
    const { items } = (await control.run('profiles.list', { client: 'acme' })).output as {
      items: Record<string, unknown>[]
    }
    for (const item of items)
      assert.deepEqual((await control.run('profiles.get', { id: item['id'] })).output, item)
    return Object.fromEntries(items.map((item) => [String(item['slug']), item['credential_state']]))
  }
  assert.deepEqual(await shown(), {
    default: 'valid',
    open: 'none',
    sandbox: 'valid',
    bound: 'valid',
    signed: 'valid',
  })
  control.move(84 * DAY)
  assert.equal((await shown())['sandbox'], 'expiring_soon')
  await control.run('profiles.rotate', { id: 'sandbox' })
  assert.equal((await shown())['sandbox'], 'valid')
  const { output } = await control.run('profiles.get', { id: 'sandbox' })
  const left = Date.parse(String(output['credential_expires_at'])) - Date.now() - 84 * DAY
  assert.ok(left > 89 * DAY && left <= 90 * DAY, `${left} ms`)
  control.move(91 * DAY)
  await control.run('profiles.revoke', { id: 'signed' })
  assert.deepEqual(await shown(), {
    default: 'expired',
    open: 'none',
    sandbox: 'expired',
    bound: 'valid',
    signed: 'revoked',
  })
  control.move(30 * DAY)
  assert.equal((await shown())['bound'], 'expired')
  await control.close()
})

test('rotation keeps the old token for the overlap and refuses a third', async () => {
  const control = await startControl()
  const { token } = await example(control)
  const { output, revision } = await control.run('profiles.rotate', { id: 'sandbox' })
  assert.notEqual(output['token'], token)
  assert.equal(revision, 2)
  assert.deepEqual(await states(control), ['retiring', 'valid'])
  assert.equal(published(control, 'sandbox').length, 2)
  await refused(control.run('profiles.rotate', { id: 'sandbox' }), 'configuration_invalid')
  control.move(DAY + 1)
  assert.deepEqual(await states(control), ['expired', 'valid'])
  await control.run('profiles.rotate', { id: 'sandbox', overlap: '30d' })
  assert.equal(published(control, 'sandbox').length, 2)
  await control.run('profiles.rotate', { id: 'sandbox', overlap: '0s' })
  assert.deepEqual(
    published(control, 'sandbox').map((one) => one.retires_at),
    [null],
  )
  await refused(control.run('profiles.rotate', { id: 'sandbox', overlap: '31d' }), 'input_invalid')
  await refused(control.run('profiles.rotate', { id: 'sandbox', overlap: 'soon' }), 'input_invalid')
  await refused(control.run('profiles.rotate', { id: 'open' }), 'configuration_invalid')
  await control.close()
})

test('revoking ends one token or all, and a second time changes nothing', async () => {
  const control = await startControl()
  await example(control)
  const { output } = await control.run('profiles.rotate', { id: 'sandbox' })
  const one = await control.run('profiles.revoke', { id: 'sandbox', credential_id: output['credential_id'] })
  assert.equal(one.output['revoked'], 1)
  assert.equal(published(control, 'sandbox').length, 1)
  assert.equal((await control.run('profiles.revoke', { id: 'sandbox' })).output['revoked'], 1)
  assert.equal(published(control, 'sandbox').length, 0)
  const again = await control.run('profiles.revoke', { id: 'sandbox' })
  assert.deepEqual([again.output['revoked'], again.configRevision], [0, null])
  assert.deepEqual(await states(control), ['revoked', 'revoked'])
  await refused(control.run('profiles.revoke', { id: 'sandbox', credential_id: 'key_x' }), 'not_found')
  await control.close()
})

test('a client comes with a profile to call with, unless its profiles are given', async () => {
  const control = await startControl()
  const { output } = await control.run('clients.create', { name: 'One' })
  const [profile] = output['profiles'] as Record<string, string>[]
  assert.equal(profile?.['slug'], 'default')
  assert.ok(isToken('pk', profile!['token']!))
  const given = await control.run('clients.create', {
    name: 'Two',
    profiles: [
      { name: 'A', auth: { type: 'none' } },
      { name: 'B', auth: { type: 'token', expires_in: null } },
    ],
  })
  const two = given.output['profiles'] as Record<string, unknown>[]
  assert.deepEqual(
    two.map((one) => [one['slug'], 'token' in one, one['token_expires_at']]),
    [
      ['a', false, undefined],
      ['b', true, null],
    ],
  )
  await control.close()
})

test('the state of a token says when it was last used, to the minute, and stands without records', async () => {
  let broken = false
  const control = await startControl({
    deps: {
      records: {
        ...UNSERVED.records,
        list: async ({ credential_id }) => {
          if (broken) throw refuse('records_unavailable')
          const record = { id: String(credential_id), time: '2026-01-01T10:11:12.131Z' }
          // The operation reads nothing else of it.
          return { items: [record as RequestRecord], next_cursor: null }
        },
      },
    },
  })
  await example(control)
  const last = async () => {
    const { output } = await control.run('profiles.state', { id: 'sandbox' })
    return (output['credentials'] as { last_used_at: string | null }[])[0]?.last_used_at
  }
  assert.equal(await last(), '2026-01-01T10:11:00.000Z')
  broken = true
  assert.equal(await last(), null)
  await control.close()
})
