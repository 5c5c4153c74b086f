import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openConfigStore } from '../../store/sqlite/config.ts'
import { openVault } from '../../vault/open.ts'
import { watchKeyFile } from './key-watch.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-key-watch-'))
after(() => rmSync(directory, { recursive: true, force: true }))

test('a key file that is deleted, replaced or spoiled shows, and one that is put back does not', async () => {
  const store = openConfigStore(join(directory, 'config.db'))
  const file = join(directory, 'vault.key')
  const other = join(directory, 'other.key')
  const vault = await openVault(store, file)
  const second = openConfigStore(join(directory, 'second.db'))
  await openVault(second, other)
  const watch = watchKeyFile(file, vault)
  const fault = async (): Promise<string | undefined> => {
    await watch.probe()
    return watch.fault?.fault
  }
  assert.equal(await fault(), undefined)
  renameSync(file, `${file}.away`)
  assert.equal(await fault(), 'missing')
  copyFileSync(other, file)
  assert.equal(await fault(), 'replaced')
  writeFileSync(file, 'no key\n')
  assert.equal(await fault(), 'cannot_open')
  renameSync(`${file}.away`, file)
  assert.equal(await fault(), undefined)
  vault.addKey()
  assert.equal(await fault(), undefined, 'a key that this process adds is in the file')
  await store.close()
  await second.close()
})
