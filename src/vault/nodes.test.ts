/** Key files of several nodes on one database. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { onPostgres } from '../../test/support/postgres-databases.ts'
import { createSetUpLinks } from '../access/set-up-links.ts'
import { createClock } from '../base/clock.ts'
import { secureTrail } from '../record/audit-continuity.ts'
import { openMarkOf } from '../record/audit-mark.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { openConfigStore } from '../store/postgres/config.ts'
import { loadKeys, makeKey, saveKeys } from './keys.ts'
import { keyedProofOf, openVault } from './open.ts'
import { CANARY } from './reseal.ts'

await onPostgres(({ create }) => {
  async function openNodes(ends: AsyncDisposableStack) {
    const directory = mkdtempSync(join(tmpdir(), 'postern-'))
    ends.defer(() => rmSync(directory, { recursive: true }))
    const address = await create()
    const open = async (name: string) => {
      const store = await openConfigStore(address)
      ends.defer(() => store.close())
      return { store, keyFile: join(directory, `${name}.key`), directory: mkdtempSync(join(directory, name)) }
    }
    return [await open('a'), await open('b')] as const
  }

  test('two nodes with one key begin an empty database at the same time, and both go on', async () => {
    await using ends = new AsyncDisposableStack()
    const nodes = await openNodes(ends)
    const [a, b] = nodes
    loadKeys(a.keyFile, true)
    copyFileSync(a.keyFile, b.keyFile)
    const start = async ({ store, keyFile, directory }: (typeof nodes)[0]) => {
      const vault = await openVault(store, keyFile)
      const mark = openMarkOf(directory, vault, (error) => assert.fail(String(error)))
      const parts = { store, clock: createClock(), seed: vault.trailKey(), mark, proof: keyedProofOf(vault) }
      return secureTrail(parts)
    }
    for (const { fault } of await Promise.all(nodes.map(start))) assert.equal(fault, null)
    // Each prints a link for the first administrator
    const links = await Promise.all(nodes.map(({ store }) => createSetUpLinks(store, createClock()).first()))
    const found = links.map((link, at) => createSetUpLinks(nodes[at]!.store, createClock()).find(link!.token))
    for (const link of await Promise.all(found)) assert.equal(link?.purpose, 'first')
    await a.store.write(async (writer) => {
      const link = await createSetUpLinks(a.store, createClock()).find(links[0]!.token)
      assert.equal(await writer.spendSetUpLink(link!), true)
    })
    assert.equal(await createSetUpLinks(b.store, createClock()).find(links[1]!.token), undefined)
  })

  test('of two nodes that begin an empty database with keys of their own, one is refused', async () => {
    await using ends = new AsyncDisposableStack()
    const nodes = await openNodes(ends)
    const started = await Promise.allSettled(nodes.map(({ store, keyFile }) => openVault(store, keyFile)))
    const refused = started.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
    assert.equal(refused.length, 1)
    assert.match(refused[0]!, /does not contain the key/)
    // It stays so
    const again = await Promise.allSettled(nodes.map(({ store, keyFile }) => openVault(store, keyFile)))
    assert.deepEqual(
      again.map(({ status }) => status),
      started.map(({ status }) => status),
    )
  })

  test('a node whose key file begins with another key starts only while no other node runs', async () => {
    await using ends = new AsyncDisposableStack()
    const [a, b] = await openNodes(ends)
    const canary = (store: ConfigStore) => store.read.meta(CANARY)
    await openVault(a.store, a.keyFile)
    const before = await canary(a.store)
    const { keys, lasting } = loadKeys(a.keyFile, false)
    writeFileSync(b.keyFile, readFileSync(a.keyFile), { mode: 0o600 })
    saveKeys(b.keyFile, { keys: [makeKey(), ...keys], lasting })
    await assert.rejects(
      openVault(b.store, b.keyFile, async () => ['node-a']),
      /cannot be encrypted again while other nodes use the database: node-a/,
    )
    assert.equal(await canary(b.store), before)
    const vault = await openVault(b.store, b.keyFile)
    assert.equal(vault.isCurrent((await canary(b.store))!), true)
    // The other one cannot start with what it has
    await assert.rejects(openVault(a.store, a.keyFile), /does not contain the key/)
  })
})
