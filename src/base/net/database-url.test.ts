import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readDatabaseUrl, shownDatabase } from './database-url.ts'

const read = (text: string) => {
  const address = readDatabaseUrl(text)
  assert.ok(typeof address !== 'string', String(address))
  return address
}

test('a URL names the server, the user and the database, and TLS is verified unless the server is on this machine', () => {
  assert.deepEqual(read('postgres://ann:p%40ss%20w%2F@db.example.com/shop'), {
    host: 'db.example.com',
    port: 5432,
    database: 'shop',
    user: 'ann',
    password: 'p@ss w/',
    passwordFile: null,
    tls: 'verify-full',
    authorities: null,
  })
  for (const [url, host, tls] of [
    ['postgresql://ann@localhost:6543/shop', 'localhost', 'disable'],
    ['postgres://ann@[::1]/shop', '::1', 'disable'],
    ['postgres://ann@127.0.0.1/shop?sslmode=require', '127.0.0.1', 'require'],
    ['postgres://ann@db/shop?sslmode=disable', 'db', 'disable'],
    ['postgres://ann@/shop?host=/var/run/postgresql', '/var/run/postgresql', 'disable'],
    ['postgres://ann@db/shop?sslmode=verify-ca&sslrootcert=/ca.pem', 'db', 'verify-ca'],
  ] as const) {
    const address = read(url)
    assert.deepEqual([address.host, address.tls], [host, tls], url)
    assert.equal(typeof readDatabaseUrl(shownDatabase(address)), 'object', shownDatabase(address))
  }
})

test('a password may be in a file, and is in no text that is shown', () => {
  const address = read('postgres://ann@db/shop?password_file=%2Frun%2Fpassword')
  assert.deepEqual([address.password, address.passwordFile], ['', '/run/password'])
  assert.equal(shownDatabase(address), 'postgres://ann@db:5432/shop')
  assert.equal(
    shownDatabase(read('postgres://ann:x@[2001:db8::1]/shop')),
    'postgres://ann@[2001:db8::1]:5432/shop',
  )
})

test('what a URL lacks or has wrong is named, and a password never is', () => {
  for (const [url, reason] of [
    ['shop', /a URL such as/],
    ['mysql://ann:hush@db/shop', /a URL such as/],
    ['postgres://db/shop', /with a user/],
    ['postgres://ann:hush@db', /name of a database/],
    ['postgres://ann:hush@db/shop/more', /name of a database/],
    ['postgres://ann:hush%zz@db/shop', /percent-encoded/],
    ['postgres://ann:hush@db/shop?sslmode=prefer', /sslmode is one of disable, require/],
    ['postgres://ann:hush@db/shop?options=-c%20role%3Droot', /without the parameter options/],
    ['postgres://ann:hush@db/shop?password_file=/none', /either a password or password_file/],
    ['postgres://ann:12?hush@db/shop', /with a user/],
    ['postgres://ann@/shop', /with a host|a URL such as/],
    ['postgres://ann@x/shop?host=run', /directory of a Unix socket/],
    ['postgres://ann@/shop?host=/run&sslmode=require', /a Unix socket has no TLS/],
  ] as const) {
    const fault = readDatabaseUrl(url)
    assert.ok(typeof fault === 'string', url)
    assert.match(fault, reason, url)
    assert.doesNotMatch(fault, /hush/)
  }
})

test('any text gives an address or a reason', () => {
  const part = fc.constantFrom(
    ...['postgres://', 'ann', ':', '@', '/', '?', '&', '=', '%', '[', ']', 'sslmode', '\0', 'é'],
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string({ maxLength: 4 })), { maxLength: 12 }), (parts) => {
      const read = readDatabaseUrl(parts.join(''))
      if (typeof read !== 'string') assert.ok(read.user !== '' && read.database !== '' && read.host !== '')
    }),
    { numRuns: 2000 },
  )
})
