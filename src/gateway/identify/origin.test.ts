import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isIn, toAddress, toNetworks } from '../../snapshot/find/network.ts'
import { FORWARDED, FORWARDED_FOR, FORWARDED_PROTO, REQUEST_ID } from '../request-headers.ts'
import { forwardedOrigin } from './origin.ts'

const TRUSTED = toNetworks(['10.0.0.0/8', '2001:db8:1::/48'])

function origin(
  fields: { list?: string; forwarded?: string; proto?: string; id?: string },
  peer = '10.0.0.1',
) {
  const taken: (string | undefined)[] = []
  taken[FORWARDED_FOR] = fields.list
  taken[FORWARDED] = fields.forwarded
  taken[FORWARDED_PROTO] = fields.proto
  taken[REQUEST_ID] = fields.id
  return forwardedOrigin({ peer, taken }, TRUSTED, false)
}

const ipOf = (list: string): string | undefined => origin({ list })?.ip

test('a peer that is not trusted is not asked', () => {
  assert.equal(origin({ list: '192.0.2.1', id: 'a', proto: 'https' }, '192.0.2.9'), null)
})

test('the caller is the right-most address that is no trusted proxy', () => {
  assert.equal(ipOf('192.0.2.1'), '192.0.2.1')
  assert.equal(ipOf('198.51.100.1, 192.0.2.1, 10.1.2.3'), '192.0.2.1')
  assert.equal(ipOf('127.0.0.1, 192.0.2.1:4711'), '192.0.2.1')
  assert.equal(ipOf('[2001:DB8:2::1]:443, 2001:db8:1::9'), '2001:db8:2::1')
  assert.equal(ipOf('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(ipOf('10.9.9.9, 10.1.2.3'), '10.9.9.9')
})

test('what is no address ends the walk at the proxy that reported it', () => {
  assert.equal(ipOf('192.0.2.1, unknown'), '10.0.0.1')
  assert.equal(ipOf('192.0.2.1, unknown, 10.1.2.3'), '10.1.2.3')
  assert.equal(ipOf(''), '10.0.0.1')
  assert.equal(origin({})?.ip, '10.0.0.1')
})

test('Forwarded is read by its grammar', () => {
  const of = (forwarded: string): string | undefined => origin({ forwarded })?.ip
  assert.equal(of('for=192.0.2.1;proto=https'), '192.0.2.1')
  assert.equal(of('for=198.51.100.1, For="[2001:db8:2::1]:80", for=10.0.0.2'), '2001:db8:2::1')
  assert.equal(of('for="198.51.100.1, for=192.0.2.1'), '10.0.0.1')
  assert.equal(of('for=192.0.2.1;for=192.0.2.2'), '10.0.0.1')
  assert.equal(of('for=_hidden'), '10.0.0.1')
  assert.equal(origin({ forwarded: 'for=192.0.2.1;proto=https' })?.secure, true)
})

test('two fields that name different callers are a fault, two that agree are none', () => {
  assert.notEqual(origin({ list: '192.0.2.1', forwarded: 'for=192.0.2.2' })?.fault, '')
  assert.equal(origin({ list: '192.0.2.1', forwarded: 'for=192.0.2.1' })?.fault, '')
})

test('a request id is kept when it fits a header line, the scheme by the last word on it', () => {
  assert.equal(origin({ id: 'abc-1.2:3' })?.requestId, 'abc-1.2:3')
  for (const id of ['', 'a b', 'é', 'x'.repeat(129), '-a', 'a"'])
    assert.equal(origin({ id })?.requestId, null)
  assert.equal(origin({ proto: 'http, https' })?.secure, true)
  assert.equal(origin({ proto: 'https, http' })?.secure, false)
})

test('whatever a trusted peer sends, the caller is an address, and no entry left of a stranger counts', () => {
  const entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constantFrom('unknown', '10.0.0.7', '"', ';'))
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), fc.string(), (entries, forwarded) => {
      const found = origin({ list: entries.join(', ') })
      assert.notEqual(toAddress(found!.ip).length, 0)
      assert.notEqual(toAddress(origin({ forwarded })!.ip).length, 0)
      const behind = origin({ list: [...entries, '192.0.2.77', '10.3.3.3'].join(', ') })
      assert.equal(behind!.ip, '192.0.2.77')
      assert.equal(isIn(TRUSTED, behind!.ip), false)
    }),
    { numRuns: 500 },
  )
})
