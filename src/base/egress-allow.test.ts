import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createEgressAllow, egressEntryFault } from './egress-allow.ts'

test('an entry is a name, a domain, an address or a network, with a port or without', () => {
  for (const entry of [
    ...[
      'keys.internal',
      'keys.internal:8443',
      'KEYS.internal.',
      'localhost',
      'a_b.test',
      'xn--bcher-kva.test',
    ],
    ...['*.corp.example.com', '*.internal:443', '10.0.0.0/8', '10.0.0.0/8:443', '10.1.2.3', '10.1.2.3:80'],
    ...[
      'fd00::1',
      'fd00::/8',
      '[fd00::1]',
      '[fd00::/8]',
      '[fd00::1]:443',
      '[fd00::/8]:443',
      '::1',
      '0.0.0.0/0',
      '::/0',
    ],
  ])
    assert.equal(egressEntryFault(entry), null, entry)
  for (const entry of [
    ...[
      '',
      '*',
      '*.',
      '*.*.test',
      'a.*.test',
      'a b.test',
      'https://a.test',
      'a.test/keys',
      '-a.test',
      'a..test',
    ],
    ...[
      'a.test:0',
      'a.test:65536',
      'a.test:',
      ':443',
      'a.test:x',
      'user@a.test',
      'bücher.test',
      'a'.repeat(64),
    ],
    ...[
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/08',
      '10.0.0/8',
      '10.0.0.1/8/8',
      '1.2.3',
      '0x7f.1',
      '2130706433',
    ],
    ...['[fd00::1', 'fd00::1]', '[fd00::1]443', '[10.0.0.1]:443', '[a.test]', 'fd00::/129', 'fe80::1%eth0'],
    ...[
      '169.254.169.254',
      '169.254.0.0/16',
      'fe80::/10',
      'metadata.google.internal',
      '224.0.0.0/8',
      '::',
      '0.0.0.0',
    ],
    ...['::ffff:10.0.0.0/104', '::ffff:0:0/96', '64:ff9b::169.254.169.254'],
  ])
    assert.notEqual(egressEntryFault(entry), null, entry)
  assert.match(egressEntryFault('169.254.169.254')!, /always refused/)
  assert.throws(() => createEgressAllow(['a.test', 'b test']), RangeError)
})

test('a port bounds an entry, and an entry without one holds for all', () => {
  const allow = createEgressAllow([
    'a.test:443',
    'b.test',
    '*.c.test:1',
    '10.0.0.0/8:443',
    '[fd00::/8]:443',
    '::1',
  ])
  const names = (name: string, port: number): boolean => allow.hasName(name, port)
  assert.deepEqual([names('a.test', 443), names('a.test', 80), names('b.test', 80)], [true, false, true])
  assert.deepEqual([names('x.c.test', 1), names('x.c.test', 2), names('c.test', 1)], [true, false, false])
  const has = (address: string, port: number): boolean => allow.hasAddress(address, port)
  assert.deepEqual([has('10.9.9.9', 443), has('10.9.9.9', 80), has('11.0.0.1', 443)], [true, false, false])
  assert.deepEqual([has('fd01::1', 443), has('fd01::1', 80), has('0::1', 7)], [true, false, true])
})

test('any text is an entry or has a sentence, and only its own names and addresses match', () => {
  const piece = fc.constantFrom(
    '*',
    '.',
    ':',
    '/',
    '[',
    ']',
    'a',
    'test',
    '10',
    '255',
    '::',
    'fd00',
    '8',
    '%',
    ' ',
    '-',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(piece, { maxLength: 10 }).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(text, (entry) => {
      const fault = egressEntryFault(entry)
      if (fault !== null) {
        assert.throws(() => createEgressAllow([entry]), RangeError)
        return
      }
      const allow = createEgressAllow([entry])
      assert.equal(allow.hasName('unrelated.example', 443), false, entry)
    }),
    { numRuns: 2000 },
  )
})
