import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Secret } from '../base/crypto/token.ts'
import { CannotStart } from '../base/refusal.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { type KeyRingFile, loadKeys, type MasterKey } from './keys.ts'
import { openVault } from './open.ts'
import { CannotRotate, createOpener, createVault, type Vault } from './vault.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-vault-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const key = (id: string, byte: number): MasterKey => ({ id, bytes: new Uint8Array(32).fill(byte) })

/** A vault whose keys are kept in no file. */
function vaultOf(keys: readonly MasterKey[]): Vault {
  let kept: KeyRingFile = { keys, lasting: new Map() }
  return createVault(kept, {
    load: () => kept,
    save: (ring) => {
      kept = ring
    },
  })
}

/** The part of a store that the vault asks: its meta values. */
function metaStore(): ConfigStore {
  const meta = new Map<string, string>()
  const part = {
    read: { meta: async (name: string) => meta.get(name) },
    write: (work: (writer: unknown) => Promise<unknown>) =>
      work({
        meta: async (name: string) => meta.get(name),
        setMeta: async (name: string, value: string) => void meta.set(name, value),
        secrets: async () => [],
        pendingChangeRequests: async () => [],
        doubtFragments: async () => {},
      }),
  }
  // The vault asks nothing else of it.
  return part as unknown as ConfigStore
}

test('a sealed secret opens only at its own place, and each sealing differs', () => {
  const vault = vaultOf([key('k1', 1)])
  const sealed = vault.seal(new Secret('s3cret'), 'crd_1', 'password')
  assert.notEqual(sealed, vault.seal(new Secret('s3cret'), 'crd_1', 'password'))
  assert.equal(vault.open(sealed, 'crd_1', 'password').reveal(), 's3cret')
  assert.throws(() => vault.open(sealed, 'crd_2', 'password'))
  assert.throws(() => vault.open(sealed, 'crd_1', 'key'))
  assert.throws(() => vault.open(sealed.replace('k1', 'k2'), 'crd_1', 'password'), /k2/)
})

test('any changed character of a sealed text is noticed', () => {
  const vault = vaultOf([key('k1', 1)])
  const sealed = vault.seal(new Secret('s3cret'), 'crd_1', 'password')
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, char) => {
      const changed = sealed.slice(0, at) + char + sealed.slice(at + 1)
      if (changed === sealed) return
      assert.throws(() => vault.open(changed, 'crd_1', 'password'))
    }),
  )
  // Other writings of the same bytes
  for (const changed of [`${sealed}=`, `${sealed} `, sealed.replaceAll('-', '+').replaceAll('_', '/')])
    if (changed !== sealed) assert.throws(() => vault.open(changed, 'crd_1', 'password'), changed)
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.throws(() => vault.open(text, 'crd_1', 'password'))
    }),
  )
})

test('the first key seals, the others still open', () => {
  const old = vaultOf([key('k1', 1)])
  const sealed = old.seal(new Secret('s'), 'a', 'b')
  const both = vaultOf([key('k2', 2), key('k1', 1)])
  assert.equal(both.open(sealed, 'a', 'b').reveal(), 's')
  assert.match(both.seal(new Secret('s'), 'a', 'b'), /^v1\.k2\./)
})

test('a gateway thread opens credentials by a derived key that is not the master key', () => {
  const vault = vaultOf([key('k2', 2), key('long-key-id-0016', 1)])
  const derived = vault.gatewayKey()
  assert.equal(Buffer.from(derived).includes(Buffer.alloc(32, 2)), false)
  const open = createOpener(structuredClone(derived))
  const secret = open(vault.seal(new Secret('s3cret'), 'crd_1', 'key'), 'crd_1', 'key')
  assert.equal(secret.reveal(), 's3cret')
  assert.equal(`${secret}`, '[secret]')
  const second = vaultOf([key('long-key-id-0016', 1)]).seal(new Secret('x'), 'crd_1', 'key')
  assert.equal(open(second, 'crd_1', 'key').reveal(), 'x')
  assert.throws(() => open(vault.canary(), 'meta', 'canary'), 'the keys of other purposes are not in it')
})

test('arguments of change requests are sealed with a key that gateway threads do not have', () => {
  const old = vaultOf([key('k1', 1)])
  const sealed = old.sealArguments(new Secret('what is asked for'), 'chg_1')
  const open = createOpener(old.gatewayKey())
  assert.throws(() => open(sealed, 'chg_1', 'arguments'))
  assert.throws(() => old.open(sealed, 'chg_1', 'arguments'))
  assert.throws(() => old.openArguments(sealed, 'chg_2'))
  assert.equal(old.openArguments(sealed, 'chg_1').reveal(), 'what is asked for')
  const both = vaultOf([key('k2', 2), key('k1', 1)])
  assert.equal(both.openArguments(sealed, 'chg_1').reveal(), 'what is asked for')
  assert.deepEqual(
    [old.areArgumentsCurrent(sealed, 'chg_1'), both.areArgumentsCurrent(sealed, 'chg_1')],
    [true, false],
  )
  both.dropKeys(['k1'])
  assert.throws(() => both.openArguments(sealed, 'chg_1'), /k1/)
})

test('arguments that an older version has sealed as a secret of a credential open, and are to be sealed anew', () => {
  const vault = vaultOf([key('k1', 1)])
  const sealed = vault.seal(new Secret('asked before'), 'chg_1', 'arguments')
  assert.equal(vault.openArguments(sealed, 'chg_1').reveal(), 'asked before')
  assert.equal(vault.areArgumentsCurrent(sealed, 'chg_1'), false)
  assert.throws(() => vault.openArguments(sealed, 'chg_2'))
})

test('a new key seals, the old one opens until it is dropped, and what must last stays the same', () => {
  const vault = vaultOf([key('k1', 1)])
  const lasting = () => [vault.fingerprint('text'), Buffer.from(vault.sessionKey()).toString('hex')]
  const [before, sealed] = [lasting(), vault.seal(new Secret('s'), 'a', 'b')]
  let told = 0
  vault.watch(() => {
    told++
  })
  vault.addKey()
  const [fresh] = vault.keys()
  assert.deepEqual(
    vault.keys().map(({ id }) => id),
    [fresh!.id, 'k1'],
  )
  const resealed = vault.seal(vault.open(sealed, 'a', 'b'), 'a', 'b')
  assert.deepEqual([vault.isCurrent(sealed), vault.isCurrent(resealed)], [false, true])
  vault.dropKeys(['k1', fresh!.id])
  assert.deepEqual(vault.keys(), [fresh])
  assert.throws(() => vault.open(sealed, 'a', 'b'), /k1/)
  assert.equal(vault.open(resealed, 'a', 'b').reveal(), 's')
  assert.deepEqual(lasting(), before)
  assert.equal(told, 2)
})

test('the keys of a file change by whole files of mode 600, which a later start reads to the same end', async () => {
  const file = join(directory, 'rotated.key')
  const store = metaStore()
  const first = await openVault(store, file)
  const sealed = first.seal(new Secret('s'), 'a', 'b')
  first.addKey()
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const second = await openVault(store, file)
  assert.deepEqual(second.keys(), first.keys())
  assert.equal(second.open(sealed, 'a', 'b').reveal(), 's')
  assert.deepEqual(second.sessionKey(), first.sessionKey())
  assert.equal(second.fingerprint('text'), first.fingerprint('text'))
  const [, old] = second.keys()
  second.dropKeys([old!.id])
  const third = await openVault(store, file)
  assert.deepEqual(third.keys(), second.keys())
  assert.deepEqual(third.sessionKey(), first.sessionKey())
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith('rotated.key')),
    ['rotated.key'],
  )
})

test('keys that people took from the file are not lost by a rotation: it is refused', async () => {
  const file = join(directory, 'edited.key')
  const vault = await openVault(metaStore(), file)
  const good = readFileSync(file)
  const cannot = (pattern: RegExp) =>
    assert.throws(
      () => vault.addKey(),
      (error) => error instanceof CannotRotate && pattern.test(error.message),
    )
  writeFileSync(file, `other ${Buffer.alloc(32, 7).toString('base64')}\n`)
  cannot(/no longer contains the key k[0-9a-f]{8}/)
  rmSync(file)
  cannot(/edited.key is missing.*Restore it/)
  writeFileSync(file, `${good}by-hand ${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 })
  vault.addKey()
  assert.deepEqual(
    vault.keys().map(({ id }) => id),
    [vault.keys()[0]!.id, good.toString().split(' ')[0], 'by-hand'],
  )
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
  await start(
    /does not contain the key k[0-9a-f]{8}, with which .* Restore the right file, or set POSTERN_KEY_FILE/,
  )
  writeFileSync(file, 'k1 short\n')
  await start(/malformed at line 1/)
  writeFileSync(file, '\n')
  await start(/contains no key/)
  writeFileSync(file, good)
  chmodSync(file, 0o640)
  await start(/mode 640.*chmod 600/)
  rmSync(file)
  await start(/is missing/)
  assert.throws(() => loadKeys('/dev/null/x.key', true), CannotStart)
})
