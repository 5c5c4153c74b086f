import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ORDERS, refused, startControl } from '../../../test/control.ts'

test('an upstream at a link-local, metadata or multicast address is refused, in every spelling', async () => {
  const control = await startControl()
  const hosts = [
    ...['169.254.169.254', '[::ffff:169.254.169.254]', '2852039166', '0xa9.254.169.254', '169.254.169.254.'],
    ...[
      '[fe80::1]',
      '[fd00:ec2::254]',
      '[64:ff9b::169.254.169.254]',
      '100.100.100.200',
      'metadata.google.internal',
    ],
    ...['224.0.0.1', '0.0.0.0'],
  ]
  for (const host of hosts) {
    const upstream = { targets: [{ url: `http://${host}/latest` }] }
    const refusal = await refused(control.run('collections.create', { ...ORDERS, upstream }), 'input_invalid')
    assert.match(refusal.message, /cannot be an upstream/, host)
  }
  await control.run('collections.create', {
    ...ORDERS,
    upstream: { targets: [{ url: 'http://10.0.0.1:8080' }] },
  })
  await control.close()
})
