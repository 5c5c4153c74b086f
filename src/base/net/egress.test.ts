import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPublicAddress, isRefusedAddress } from './address.ts'
import {
  createEgress,
  createEgressAllow,
  type Destination,
  destinationOf,
  discoveredFrom,
  type Egress,
  type EgressSettings,
  egressEntryFault,
  NO_LISTENER,
} from './egress.ts'

type Bytes = readonly [number, number, number, number]

const egressOf = (settings: Partial<EgressSettings> = {}): Egress =>
  createEgress({ ...NO_LISTENER, ...settings })
const to = (url: string, from: Destination['from'] = 'discovered'): Destination =>
  destinationOf(new URL(url), from)

const hex = (...bytes: readonly number[]): string =>
  bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
const dotted = (bytes: Bytes): string => bytes.join('.')

/** Ways to write an IPv4 address in a URL (WHATWG URL section 3.5). */
const IPV4_SPELLINGS: readonly ((bytes: Bytes) => string)[] = [
  dotted,
  (bytes) => `${dotted(bytes)}.`,
  ([a, b, c, d]) => String(((a * 256 + b) * 256 + c) * 256 + d),
  (bytes) => `0x${hex(...bytes)}`,
  ([a, b, c, d]) => `0${(((a * 256 + b) * 256 + c) * 256 + d).toString(8)}`,
  (bytes) => bytes.map((byte) => `0${byte.toString(8)}`).join('.'),
  (bytes) => bytes.map((byte) => `0X${byte.toString(16)}`).join('.'),
  ([a, b, c, d]) => `${a}.${(b * 256 + c) * 256 + d}`,
  ([a, b, c, d]) => `${a}.0${b.toString(8)}.${c * 256 + d}`,
]

/** IPv6 addresses that are, or that carry, an IPv4 address. */
const CARRIERS: readonly ((bytes: Bytes) => string)[] = [
  (bytes) => `64:ff9b::${dotted(bytes)}`,
  ([a, b, c, d]) => `64:ff9b::${hex(a, b)}:${hex(c, d)}`,
  ([a, b, c, d]) => `64:ff9b:1:${hex(a, b)}:${hex(0, c)}:${hex(d, 0)}::`,
  ([a, b, c, d]) => `64:ff9b:1:${hex(7, a)}:${hex(0, b)}:${hex(c, d)}::`,
  ([a, b, c, d]) => `64:ff9b:1:0:${hex(0, a)}:${hex(b, c)}:${hex(d, 0)}:0`,
  (bytes) => `64:ff9b:1::${dotted(bytes)}`,
  ([a, b, c, d]) => `2002:${hex(a, b)}:${hex(c, d)}::1`,
  ([a, b, c, d]) => `2001:0:${hex(a, b)}:${hex(c, d)}:0:0:0:1`,
  ([a, b, c, d]) => `2001:0:102:304:0:0:${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}`,
  (bytes) => `fd12::5efe:${dotted(bytes)}`,
  (bytes) => `2600::200:5efe:${dotted(bytes)}`,
  (bytes) => `::ffff:0:${dotted(bytes)}`,
  (bytes) => `::${dotted(bytes)}`,
]
const MAPPED: readonly ((bytes: Bytes) => string)[] = [
  (bytes) => `::ffff:${dotted(bytes)}`,
  (bytes) => `::FFFF:${dotted(bytes)}`,
  ([a, b, c, d]) => `::ffff:${hex(a, b)}:${hex(c, d)}`,
  ([a, b, c, d]) => `0:0:0:0:0:ffff:${hex(a, b)}:${hex(c, d)}`,
  (bytes) => `::ffff:${dotted(bytes)}%eth0`,
]

const byte = fc.integer({ min: 0, max: 255 })
/** Half of them special. */
const ipv4: fc.Arbitrary<Bytes> = fc.oneof(
  fc.tuple(byte, byte, byte, byte),
  fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
  fc.tuple(fc.constantFrom(10, 127, 224, 239, 255, 192, 172, 100), byte, byte, byte),
  fc.constantFrom<Bytes>([100, 100, 100, 200], [168, 63, 129, 16], [192, 0, 0, 192], [255, 255, 255, 255]),
)
/** Written without the lists of the code. */
function isNever([a, b, c, d]: Bytes): boolean {
  const one = `${a}.${b}.${c}.${d}`
  const clouds = ['100.100.100.200', '168.63.129.16', '192.0.0.192', '255.255.255.255']
  return a === 0 || (a === 169 && b === 254) || (a >= 224 && a <= 239) || clouds.includes(one)
}

test('an IPv4 address is judged alike in every spelling of a URL', () => {
  const rule = egressOf()
  fc.assert(
    fc.property(ipv4, fc.constantFrom(...IPV4_SPELLINGS), (bytes, spell) => {
      const url = new URL(`https://${spell(bytes)}/`)
      assert.equal(url.hostname, dotted(bytes))
      const isRefused = rule.faultOf(destinationOf(url, 'typed')) !== null
      assert.equal(isRefused, isNever(bytes), url.href)
      const isRefusedAsFound = rule.faultOf(destinationOf(url, 'discovered')) !== null
      assert.equal(isRefusedAsFound, !isPublicAddress(dotted(bytes)), url.href)
    }),
  )
})

test('an IPv6 address is judged as the IPv4 address that it maps, and refused with one that it carries', () => {
  fc.assert(
    fc.property(ipv4, fc.constantFrom(...MAPPED), (bytes, form) => {
      assert.equal(isRefusedAddress(form(bytes)), isNever(bytes), form(bytes))
      assert.equal(isPublicAddress(form(bytes)), isPublicAddress(dotted(bytes)), form(bytes))
    }),
  )
  fc.assert(
    fc.property(
      ipv4.filter(([a]) => a > 0),
      fc.constantFrom(...CARRIERS),
      (bytes, form) => {
        const address = form(bytes)
        assert.equal(isIP(address), 6, address)
        if (isNever(bytes)) assert.equal(isRefusedAddress(address), true, address)
        if (!isPublicAddress(dotted(bytes)) && !address.startsWith('26'))
          assert.equal(isPublicAddress(address), false, address)
      },
    ),
  )
})

test('addresses of IPv6 are public, inside or refused, whatever zone they name', () => {
  for (const address of [
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'ff02::1',
    '::',
    '0:0:0:0:0:0:0:0',
    'fd00:ec2::254',
  ])
    assert.equal(isRefusedAddress(address), true, address)
  for (const address of [
    '::1',
    '::1%lo',
    'fd00::1',
    'fec0::1',
    '2001:db8::1',
    '3fff::1',
    '100::1',
    '2002:101:101::',
    '5f00::1',
  ])
    assert.deepEqual([isRefusedAddress(address), isPublicAddress(address)], [false, false], address)
  for (const address of ['2606:4700::1111', '2a00:1450::1', '64:ff9b::1.1.1.1'])
    assert.deepEqual([isRefusedAddress(address), isPublicAddress(address)], [false, true], address)
  assert.equal(isPublicAddress('64:ff9b::10.0.0.1'), false)
  for (const none of ['', 'localhost', '1.2.3', '1.2.3.4.5', '::g', '%eth0'])
    assert.deepEqual([isRefusedAddress(none), isPublicAddress(none)], [false, false], none)
})

test('a URL that an administrator has written may be private or loopback, any other may not', () => {
  const rule = egressOf()
  for (const host of ['10.0.0.7', '127.0.0.1', '[::1]', '[fd00::1]', '192.168.1.1', '100.64.0.1']) {
    assert.equal(rule.faultOf(to(`https://${host}/`, 'typed')), null)
    assert.match(
      rule.faultOf(to(`https://${host}/`))!,
      /is refused: its address is not public, .* to POSTERN_EGRESS_ALLOW to allow it$/,
    )
  }
  assert.equal(rule.faultOf(to('https://1.1.1.1/')), null)
  assert.equal(rule.faultOf(to('https://keys.example.com/')), null, 'judged by what it resolves to')
  for (const from of ['typed', 'discovered'] as const)
    assert.match(rule.faultOf(to('https://metadata.google.internal/', from))!, /link-local/)
})

test('a URL that was found on the very server of a typed one counts as typed', () => {
  const typed = 'https://id.corp:8443/realms/a'
  for (const found of ['https://id.corp:8443/keys', 'https://ID.corp:8443/'])
    assert.equal(discoveredFrom(typed, found), 'typed', found)
  for (const found of [
    'https://id.corp/keys',
    'http://id.corp:8443/keys',
    'https://keys.id.corp:8443/',
    'https://id.corp.:8443/',
    'nonsense',
    '',
  ])
    assert.equal(discoveredFrom(typed, found), 'discovered', found)
  assert.equal(discoveredFrom('https://id.corp', 'https://id.corp:443/keys'), 'typed')
  assert.equal(discoveredFrom('data:a', 'data:b'), 'discovered')
})

/** What a socket would get, as addresses or the sentence of the refusal. */
function resolved(
  rule: Egress,
  at: Destination,
  addresses: readonly string[],
  mixed?: 'leave_out',
): readonly string[] | string {
  const resolve = ((_name: string, _options: object, answer: (error: null, found: LookupAddress[]) => void) =>
    answer(
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    )) as unknown as LookupFunction
  let given: readonly string[] | string = []
  rule.lookup(at, resolve, mixed)(at.host, { all: true }, (error, found) => {
    given = error?.message ?? (found as LookupAddress[]).map(({ address }) => address)
  })
  return given
}

test('a socket gets only addresses that the rule admits, in whatever order a name resolves to them', () => {
  const rule = egressOf({ control: { host: '127.0.0.1', port: 8081 }, allow: ['10.1.0.0/16'] })
  const address = fc.oneof(
    ipv4.map(dotted),
    fc.tuple(ipv4, fc.constantFrom(...MAPPED, ...CARRIERS)).map(([bytes, form]) => form(bytes)),
    fc.constantFrom('::1', '127.0.0.1', '::ffff:127.0.0.1', '10.1.2.3', 'fe80::1%eth0', '2606:4700::1'),
  )
  const isAdmitted = (one: string, from: Destination['from']): boolean =>
    rule.faultOf({ host: one, port: 8081, from }) === null
  fc.assert(
    fc.property(
      fc.array(address, { minLength: 1, maxLength: 6 }),
      fc.constantFrom('typed' as const, 'discovered' as const),
      (addresses, from) => {
        const at = { host: 'a.test', port: 8081, from }
        const admitted = addresses.filter((one) => isAdmitted(one, from))
        const whole = resolved(rule, at, addresses)
        if (admitted.length === addresses.length) assert.deepEqual(whole, addresses)
        else assert.match(String(whole), /^a\.test(:8081)? is refused: /)
        const rest = resolved(rule, at, addresses, 'leave_out')
        if (admitted.length > 0) assert.deepEqual(rest, admitted)
        else assert.equal(rest, whole)
        // No address of the inside is told
        for (const one of addresses) assert.ok(typeof whole !== 'string' || !whole.includes(one), one)
      },
    ),
  )
})

test('a lookup passes the failure of the resolver on, and gives one address where one is asked for', () => {
  const rule = egressOf()
  const at = to('https://a.test/')
  const failing = ((_name: string, _options: object, answer: (error: Error) => void) =>
    answer(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))) as unknown as LookupFunction
  rule.lookup(at, failing)('a.test', { all: true }, (error) => assert.equal(error?.code, 'ENOTFOUND'))
  const empty = ((_name: string, _options: object, answer: (error: null, found: []) => void) =>
    answer(null, [])) as unknown as LookupFunction
  rule.lookup(at, empty)('a.test', {}, (error) => assert.equal(error?.code, 'ENOTFOUND'))
  const two = ((_name: string, _options: object, answer: (error: null, found: LookupAddress[]) => void) =>
    answer(null, [
      { address: '1.1.1.1', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ])) as unknown as LookupFunction
  rule.lookup(at, two)('a.test', {}, (error, address, family) =>
    assert.deepEqual([error, address, family], [null, '1.1.1.1', 4]),
  )
})

test('the list opens what is private to discovered URLs, and never a link-local address or the control listener', () => {
  const rule = egressOf({
    allow: ['keys.internal:8443', '*.corp.example.com', '10.1.0.0/16', '[fd00::/16]:443', '127.0.0.1'],
    control: { host: '127.0.0.1', port: 8081 },
  })
  const inside = ['192.168.7.7']
  assert.deepEqual(resolved(rule, to('https://keys.internal:8443/'), inside), inside)
  assert.deepEqual(resolved(rule, to('https://KEYS.internal.:8443/'), inside), inside)
  assert.match(String(resolved(rule, to('https://keys.internal/'), inside)), /keys\.internal is refused/)
  assert.deepEqual(resolved(rule, to('https://a.b.corp.example.com/'), inside), inside)
  for (const host of ['corp.example.com', 'xcorp.example.com', 'a.corp.example.com.evil.test'])
    assert.match(String(resolved(rule, to(`https://${host}/`), inside)), /is refused/, host)
  assert.deepEqual(resolved(rule, to('https://any.test/'), ['10.1.255.1']), ['10.1.255.1'])
  assert.match(String(resolved(rule, to('https://any.test/'), ['10.2.0.1'])), /any\.test is refused/)
  assert.equal(rule.faultOf(to('https://[fd00::9]/')), null)
  assert.notEqual(rule.faultOf(to('https://[fd00::9]:8443/')), null)
  assert.equal(rule.faultOf(to('https://[::ffff:10.1.2.3]/')), null)
  assert.equal(rule.faultOf(to('https://127.0.0.1:9000/')), null)
  assert.match(rule.faultOf(to('https://127.0.0.1:8081/'))!, /control listener/)
  assert.match(String(resolved(rule, to('https://a.corp.example.com/'), ['169.254.1.1'])), /link-local/)
  assert.match(String(resolved(rule, to('https://a.corp.example.com:8081/'), ['::1'])), /control listener/)
})

test('the control listener is refused by every name and address that leads to it, however it is bound', () => {
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
  const refused = (host: string, asked: string, port = 8081): boolean =>
    egressOf({ control: { host, port: 8081 } }).faultOf({ host: asked, port, from: 'typed' }) !== null
  const loopback = [
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '::ffff:7f00:1',
    'localhost',
    'LOCALHOST.',
    'a.localhost',
  ]
  for (const bound of ['127.0.0.1', '::1', 'localhost', '0.0.0.0', '::', 'this.host.test'])
    for (const asked of loopback) {
      assert.equal(refused(bound, asked), true, `${bound} by ${asked}`)
      assert.equal(refused(bound, asked, 8082), false, `${bound} by ${asked}`)
    }
  for (const bound of ['0.0.0.0', '::', 'this.host.test'])
    for (const asked of own) assert.equal(refused(bound, asked), true, `${bound} by ${asked}`)
  assert.equal(refused('this.host.test', 'this.HOST.test.'), true)
  assert.equal(refused('10.9.8.7', '10.9.8.7'), true)
  assert.equal(refused('10.9.8.7', '::ffff:10.9.8.7'), true)
  assert.equal(refused('fd00::1', 'fd00:0:0:0:0:0:0:1'), true)
  for (const asked of ['10.9.8.6', '127.0.0.1', 'localhost', 'other.test'])
    assert.equal(refused('10.9.8.7', asked), false, asked)
  const rule = egressOf({ control: { host: '0.0.0.0', port: 8081 } })
  const at = { host: 'rebind.test', port: 8081, from: 'typed' } as const
  for (const address of ['127.0.0.1', '::1', ...own.filter((one) => !isRefusedAddress(one))])
    assert.equal(
      resolved(rule, at, [address]),
      'rebind.test:8081 is refused: it is the control listener of this Postern',
    )
})

test('the private sockets are refused, also by a link to them', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  try {
    const rule = egressOf({ sockets: directory })
    const control = join(directory, 'control.sock')
    assert.match(rule.socketFault(control)!, /private socket/, 'also before it is there')
    writeFileSync(control, '')
    symlinkSync(control, join(directory, 'link.sock'))
    linkSync(control, join(directory, 'hard.sock'))
    for (const name of ['control.sock', 'local.sock', 'link.sock', 'hard.sock', 'a/../control.sock'])
      assert.match(rule.socketFault(`${directory}/${name}`)!, /private socket/, name)
    writeFileSync(join(directory, 'other.sock'), '')
    for (const name of ['other.sock', 'none.sock'])
      assert.equal(rule.socketFault(join(directory, name)), null, name)
    assert.equal(egressOf().socketFault(control), null)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

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
