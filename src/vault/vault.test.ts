import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { CannotStart } from '../base/cannot-start.ts'
import { Secret } from '../base/secret.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { loadKeys, type MasterKey } from './keys.ts'
import { openVault } from './open.ts'
import { createOpener } from './opener.ts'
import { createVault } from './vault.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-vault-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const key = (id: string, byte: number): MasterKey => ({ id, bytes: new Uint8Array(32).fill(byte) })

/** The part of a store that the vault asks: its meta values. */
function metaStore(): ConfigStore {
  const meta = new Map<string, string>()
  const part = {
    read: { meta: async (name: string) => meta.get(name) },
    write: (work: (writer: unknown) => Promise<unknown>) =>
      work({ setMeta: async (name: string, value: string) => void meta.set(name, value) }),
  }
  // The vault asks nothing else of it.
  return part as unknown as ConfigStore
}

test('a sealed secret opens only at its own place, and each sealing differs', () => {
  const vault = createVault([key('k1', 1)])
  const sealed = vault.seal(new Secret('s3cret'), 'crd_1', 'password')
  assert.notEqual(sealed, vault.seal(new Secret('s3cret'), 'crd_1', 'password'))
  assert.equal(vault.open(sealed, 'crd_1', 'password').reveal(), 's3cret')
  assert.throws(() => vault.open(sealed, 'crd_2', 'password'))
  assert.throws(() => vault.open(sealed, 'crd_1', 'key'))
  assert.throws(() => vault.open(sealed.replace('k1', 'k2'), 'crd_1', 'password'), /k2/)
})

test('any changed character of a sealed text is noticed', () => {
  const vault = createVault([key('k1', 1)])
  const sealed = vault.seal(new Secret('s3cret'), 'crd_1', 'password')
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, char) => {
      const changed = sealed.slice(0, at) + char + sealed.slice(at + 1)
      // Base64url ignores the spare bits of the last character; the bytes are then the same.
      if (changed === sealed || at === sealed.length - 1) return
      assert.throws(() => vault.open(changed, 'crd_1', 'password'))
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.throws(() => vault.open(text, 'crd_1', 'password'))
    }),
  )
})

test('the first key seals, the others still open', () => {
  const old = createVault([key('k1', 1)])
  const sealed = old.seal(new Secret('s'), 'a', 'b')
  const both = createVault([key('k2', 2), key('k1', 1)])
  assert.equal(both.open(sealed, 'a', 'b').reveal(), 's')
  assert.match(both.seal(new Secret('s'), 'a', 'b'), /^v1\.k2\./)
})

test('a gateway thread opens credentials by a derived key that is not the master key', () => {
  const vault = createVault([key('k2', 2), key('long-key-id-0016', 1)])
  const derived = vault.gatewayKey()
  assert.equal(Buffer.from(derived).includes(Buffer.alloc(32, 2)), false)
  const open = createOpener(structuredClone(derived))
  const secret = open(vault.seal(new Secret('s3cret'), 'crd_1', 'key'), 'crd_1', 'key')
  assert.equal(secret.reveal(), 's3cret')
  assert.equal(`${secret}`, '[secret]')
  const second = createVault([key('long-key-id-0016', 1)]).seal(new Secret('x'), 'crd_1', 'key')
  assert.equal(open(second, 'crd_1', 'key').reveal(), 'x')
  assert.throws(() => open(vault.canary(), 'meta', 'canary'), 'the keys of other purposes are not in it')
})

test('the key file is made once, for its owner alone', async () => {
  const file = join(directory, 'made.key')
  const store = metaStore()
  const vault = await openVault(store, file)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const sealed = vault.seal(new Secret('s'), 'a', 'b')
  assert.equal((await openVault(store, file)).open(sealed, 'a', 'b').reveal(), 's')
})

test('a key file that is missing, wrong, open to others or malformed refuses start by one sentence', async () => {
  const file = join(directory, 'bad.key')
  const store = metaStore()
  await openVault(store, file)
  const good = readFileSync(file)
  const start = async (pattern: RegExp) =>
    assert.rejects(
      openVault(store, file),
      (error: Error) =>
        error instanceof CannotStart && pattern.test(error.message) && !error.message.includes('\n'),
    )
  writeFileSync(file, `k1 ${Buffer.alloc(32, 7).toString('base64')}\n`)
  await start(/is not the one/)
  writeFileSync(file, 'k1 short\n')
  await start(/malformed at line 1/)
  writeFileSync(file, '\n')
  await start(/holds no key/)
  writeFileSync(file, good)
  chmodSync(file, 0o640)
  await start(/mode 640.*chmod 600/)
  rmSync(file)
  await start(/is missing/)
  assert.throws(() => loadKeys('/dev/null/x.key', true), CannotStart)
})
