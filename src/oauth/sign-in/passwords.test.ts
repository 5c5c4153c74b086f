import assert from 'node:assert/strict'
import { argon2Sync } from 'node:crypto'
import { test } from 'node:test'
import { createPasswords, faultOfPassword } from './local.ts'

const GOOD = 'correct horse battery staple'

test('a password is kept as Argon2id with a salt of its own, and proves whoever knows it', async () => {
  const passwords = createPasswords()
  const [hash, other] = await Promise.all([passwords.hash(GOOD), passwords.hash(GOOD)])
  assert.notEqual(hash, other)
  const [, , , cost, salt, tag] = hash.split('$')
  assert.equal(cost, 'm=19456,t=2,p=1')
  const nonce = Buffer.from(salt!, 'base64')
  assert.equal(nonce.length, 16)
  const own = { message: GOOD, nonce, tagLength: 32, memory: 19_456, passes: 2, parallelism: 1 }
  assert.deepEqual(Buffer.from(tag!, 'base64'), argon2Sync('argon2id', own))

  assert.equal(await passwords.verify(GOOD, hash), true)
  assert.equal(await passwords.verify(`${GOOD} `, hash), false)
  assert.equal(await passwords.verify(GOOD, undefined), false)
})

test('a password is the same in each spelling that Unicode has for it', async () => {
  const passwords = createPasswords()
  const hash = await passwords.hash('Zürich im Frühling'.normalize('NFD'))
  assert.equal(await passwords.verify('Zürich im Frühling'.normalize('NFC'), hash), true)
})

test('one password is hashed at a time, in the order in which they came, and too many are sent away', async () => {
  const passwords = createPasswords()
  const ended: number[] = []
  const turns = Array.from({ length: 20 }, (_, index) =>
    passwords.verify(GOOD, undefined).then(() => ended.push(index)),
  )
  await assert.rejects(passwords.verify(GOOD, undefined), { code: 'auth_throttled' })
  await turns[0]
  // One place is free now, and no second one has ended meanwhile
  assert.deepEqual(ended, [0])
  const next = passwords.verify(GOOD, undefined)
  await assert.rejects(passwords.hash(GOOD), { code: 'auth_throttled' })
  await Promise.all([...turns, next])
  assert.deepEqual(
    ended,
    [...ended].sort((a, b) => a - b),
  )
})

test('a turn that fails leaves the next one alone', async () => {
  const passwords = createPasswords()
  await assert.rejects(passwords.verify(GOOD, 'no hash'), /no hash of a password/)
  const impossible = passwords.verify(GOOD, '$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHQ$dGFndGFndGFn')
  const fine = passwords.verify(GOOD, undefined)
  await assert.rejects(impossible)
  assert.equal(await fine, false)
})

test('a password is long enough and not the name of whom it is for', () => {
  assert.match(faultOfPassword('elevenchars', []) ?? '', /at least 12/)
  assert.equal(faultOfPassword('twelve chars', []), null)
  assert.equal(faultOfPassword('ä'.repeat(256), []), null)
  assert.match(faultOfPassword('ä'.repeat(257), []) ?? '', /at most 256/)
  assert.match(faultOfPassword('Ada@Example.com', ['Ada Lovelace', 'ada@example.com']) ?? '', /must not be/)
  assert.equal(faultOfPassword('ada@example.com!', ['ada@example.com']), null)
})
