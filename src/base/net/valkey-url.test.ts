import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readValkeyUrl, shownValkey } from './valkey-url.ts'

const read = (text: string) => {
  const address = readValkeyUrl(text)
  assert.ok(typeof address !== 'string', String(address))
  return address
}

test('a URL names the servers, the user and whether TLS is used', () => {
  assert.deepEqual(
    read('rediss://ann:p%40s,s%2F@a.example.com,b:6380,[2001:db8::1]:7000?sslrootcert=/ca.pem'),
    {
      servers: [
        { host: 'a.example.com', port: 6379 },
        { host: 'b', port: 6380 },
        { host: '2001:db8::1', port: 7000 },
      ],
      user: 'ann',
      password: 'p@s,s/',
      passwordFile: null,
      isSecure: true,
      authorities: '/ca.pem',
    },
  )
  for (const [url, user, isSecure] of [
    ['redis://127.0.0.1', '', false],
    ['valkey://localhost:7000/', '', false],
    ['valkeys://[::1]:7000/0', '', true],
    ['redis://:x@cache', '', false],
    ['redis://ann@cache?password_file=/run/password', 'ann', false],
    ['redis://cache?insecure=allow', '', false],
    ['redis://127.0.0.1,[::1]:7000', '', false],
  ] as const) {
    const address = read(url)
    assert.deepEqual([address.user, address.isSecure], [user, isSecure], url)
    assert.equal(
      typeof readValkeyUrl(`${shownValkey(address)}?insecure=allow`),
      'object',
      shownValkey(address),
    )
  }
})

test('what a URL lacks or has wrong is named, and a password never is', () => {
  for (const [url, reason] of [
    ['cache', /a URL such as/],
    ['http://ann:hush@cache', /a URL such as/],
    ['redis://', /a URL such as/],
    ['redis+socket:///run/redis', /a URL such as/],
    ['redis://:hush@cache/7', /only database 0/],
    ['redis://:hush@cache/shop', /only database 0/],
    ['redis://:hush%zz@cache', /percent-encoded/],
    ['redis://12?hush@cache', /percent-encoded/],
    ['redis://:hush@cache?timeout=5', /without the parameter timeout/],
    ['redis://:hush@cache?password_file=/none', /either a password or password_file/],
    ['redis://cache?password_file=', /password_file is a path/],
    ['redis://:hush@cache?sslrootcert=/ca.pem', /begins with rediss/],
    ['redis://cache?insecure=yes', /insecure is allow/],
    ['redis://:hush@a,,b', /servers are host:port/],
    ['redis://:hush@a,redis://b', /servers are host:port|only database 0/],
    ['redis://:hush@a:99999', /servers are host:port/],
    ['redis://:hush@[::zz]', /servers are host:port/],
    [`redis://:hush@${'a,'.repeat(40)}a`, /at most 32/],
    ['redis://cache', /password_file, because everybody/],
    ['redis://127.0.0.1,cache', /password_file, because everybody/],
    ['redis://ann@cache', /password_file, because everybody/],
  ] as const) {
    const found = readValkeyUrl(url)
    assert.match(String(found), reason, url)
    assert.doesNotMatch(String(found), /hush/, url)
  }
})

test('any text gives an address or a reason, and a password is in no reason', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('@', ':', '/', '?', '#', ',', '[', ']', '%'),
  )
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const found = readValkeyUrl(`redis://${parts.join('')}`)
      if (typeof found !== 'string') assert.ok(found.servers.every(({ port }) => port >= 1 && port <= 65_535))
    }),
  )
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const found = readValkeyUrl(`redis://ann:hush${parts.join('')}@cache:6379`)
      if (typeof found === 'string') assert.doesNotMatch(found, /hush/)
    }),
  )
})
