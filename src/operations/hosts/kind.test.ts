import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../../test/control.ts'

const DAY = 86_400_000

test('get and the list show of a binding the state of its token, and of a host how many bindings and tokens it has', async () => {
  await using control = await started()
  const { run } = control
  const binding = async () => {
    const { output } = await run('bindings.get', { id: 'nightly:tickets' })
    const { items } = (await run('bindings.list', { host: 'nightly' })).output as { items: unknown[] }
    assert.deepEqual(items[0], output)
    return [output['token_state'], output['token_issued_at'] !== null, output['token_expires_at'] !== null]
  }
  const host = async () => {
    const { output } = await run('hosts.get', { id: 'nightly' })
    const { items } = (await run('hosts.list', {})).output as { items: unknown[] }
    assert.deepEqual(items[0], output)
    return [output['bindings'], output['valid_tokens']]
  }
  assert.deepEqual(
    [await binding(), await host()],
    [
      ['none', false, false],
      [1, 0],
    ],
  )
  const issued = (await run('bindings.issue_token', { id: 'nightly:tickets' })).output
  assert.deepEqual(
    [await binding(), await host()],
    [
      ['valid', true, true],
      [1, 1],
    ],
  )
  const { output } = await run('bindings.get', { id: 'nightly:tickets' })
  assert.equal(output['token_expires_at'], issued['token_expires_at'])
  assert.ok(!JSON.stringify(output).includes(String(issued['token'])))
  control.move(84 * DAY)
  assert.deepEqual((await binding())[0], 'expiring_soon')
  control.move(7 * DAY)
  assert.deepEqual(
    [await binding(), await host()],
    [
      ['expired', true, true],
      [1, 0],
    ],
  )
  await run('bindings.issue_token', { id: 'nightly:tickets' })
  assert.deepEqual((await binding())[0], 'valid')
  await run('bindings.revoke_token', { id: 'nightly:tickets' })
  assert.deepEqual([(await binding())[0], await host()], ['revoked', [1, 0]])
})

test('get and the list show when the secret of a service identity was issued', async () => {
  await using control = await started()
  const { run } = control
  await run('service_identities.create', { name: 'Pipeline' })
  const shown = async () => {
    const { output } = await run('service_identities.get', { id: 'pipeline' })
    const { items } = (await run('service_identities.list', {})).output as { items: unknown[] }
    assert.deepEqual(items[0], output)
    return output['secret_issued_at']
  }
  assert.equal(await shown(), null)
  const { output } = await run('service_identities.issue_secret', { id: 'pipeline' })
  const first = await shown()
  assert.match(String(first), /^\d{4}-/)
  assert.ok(
    !JSON.stringify(await run('service_identities.get', { id: 'pipeline' })).includes(
      String(output['client_secret']),
    ),
  )
  control.move(DAY)
  await run('service_identities.issue_secret', { id: 'pipeline' })
  assert.ok(Date.parse(String(await shown())) >= Date.parse(String(first)) + DAY)
})

async function started() {
  const control = await startControl()
  const { run } = control
  await run('origins.create', { name: 'Desk', url: 'https://mcp.example.com/mcp', probe: false })
  await run('virtual_mcps.create', { name: 'Desk', status: 'published', members: [{ origin: 'desk' }] })
  await run('hosts.create', { name: 'Nightly' })
  await run('bindings.create', { name: 'Tickets', host: 'nightly', virtual_mcp: 'desk' })
  return { ...control, [Symbol.asyncDispose]: () => control.close() }
}
