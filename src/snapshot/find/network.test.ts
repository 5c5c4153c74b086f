import assert from 'node:assert/strict'
import { BlockList, isIPv4 } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { isIn, toNetworks } from './network.ts'

test('addresses lie in the networks that hold them, IPv4 and IPv6 apart', () => {
  const networks = toNetworks(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])
  for (const ip of [
    '10.0.0.0',
    '10.255.255.255',
    '192.0.2.7',
    '2001:db8::',
    '2001:0db8:ffff::1',
    '::1',
    '::ffff:10.1.2.3',
  ])
    assert.equal(isIn(networks, ip), true, ip)
  for (const ip of [
    '11.0.0.0',
    '192.0.2.8',
    '2001:db9::',
    '::2',
    '',
    'x',
    '10.0.0',
    '10.0.0.0.1',
    '10.0.0.256',
    '10..0.0',
  ])
    assert.equal(isIn(networks, ip), false, ip)
  assert.equal(isIn(toNetworks(['::ffff:10.0.0.0/104']), '10.9.9.9'), true)
  assert.equal(isIn(toNetworks(['::ffff:10.0.0.0/104']), '11.9.9.9'), false)
  assert.equal(isIn(toNetworks(['0.0.0.0/0']), '255.255.255.255'), true)
  assert.equal(isIn(toNetworks(['0.0.0.0/0']), '::1'), false)
  assert.equal(isIn(toNetworks(['::/0']), 'fe80::1'), true)
})

test('what is no network is refused', () => {
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/x',
    '::/129',
    'localhost',
    '1.2.3.4/1.5',
    '::ffff:10.0.0.0/8',
  ])
    assert.throws(() => toNetworks([text]), RangeError, text)
})

test('every address is judged as the platform judges it', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6()),
      fc.oneof(fc.ipV4(), fc.ipV6()),
      fc.nat(128),
      (base, ip, bits) => {
        const prefix = isIPv4(base) ? bits % 33 : bits
        const list = new BlockList()
        list.addSubnet(base, prefix, isIPv4(base) ? 'ipv4' : 'ipv6')
        const isMapped = base.toLowerCase().includes('ffff') || ip.toLowerCase().includes('ffff')
        fc.pre(isIPv4(base) === isIPv4(ip) && !isMapped)
        assert.equal(
          isIn(toNetworks([`${base}/${prefix}`]), ip),
          list.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6'),
        )
      },
    ),
    { numRuns: 1000 },
  )
})
