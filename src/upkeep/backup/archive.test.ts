import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Damaged, extractEntry, listArchive, writeArchive } from './archive.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-archive-'))
after(() => rmSync(directory, { recursive: true }))
let count = 0
const fresh = (): string => join(directory, `file${count++}`)

async function read<T>(file: string, look: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file)
  try {
    return await look(handle)
  } finally {
    await handle.close()
  }
}

async function sample(): Promise<string> {
  const [big, archive] = [fresh(), fresh()]
  writeFileSync(big, Buffer.alloc(70_000, 'x'))
  await writeArchive(
    archive,
    [
      { name: 'manifest.json', from: { text: '{}' } },
      { name: 'config.db', from: { file: big, bytes: 70_000 } },
      { name: 'vault.key', from: { text: '' } },
    ],
    0,
  )
  return archive
}

test('what is written is read again, and any tar reads it too', async () => {
  const archive = await sample()
  const entries = await read(archive, listArchive)
  assert.deepEqual(
    [...entries.values()].map(({ name, bytes }) => [name, bytes]),
    [
      ['manifest.json', 2],
      ['config.db', 70_000],
      ['vault.key', 0],
    ],
  )
  const out = fresh()
  await extractEntry(archive, entries.get('config.db')!, out)
  assert.deepEqual(readFileSync(out), Buffer.alloc(70_000, 'x'))
  const tar = spawnSync('tar', ['-tf', archive], { encoding: 'utf8' })
  assert.equal(tar.stdout, 'manifest.json\nconfig.db\nvault.key\n', tar.stderr)
  const other = fresh()
  writeFileSync(join(directory, 'manifest.json'), '{}')
  spawnSync('tar', ['--format=ustar', '-cf', other, '-C', directory, 'manifest.json'])
  assert.equal((await read(other, listArchive)).size, 1)
})

test('a file that changes while it is copied fails the whole', async () => {
  const file = fresh()
  writeFileSync(file, 'four')
  const source = { name: 'config.db', from: { file, bytes: 5 } }
  await assert.rejects(writeArchive(fresh(), [source], 0), /config\.db changed while it was read/)
})

test('whatever is changed or cut off in an archive, it is read or refused as damaged', async () => {
  const whole = readFileSync(await sample())
  const file = fresh()
  const judge = async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(file, bytes)
    try {
      for (const { at, bytes: length } of (await read(file, listArchive)).values())
        assert.ok(at + length <= bytes.length)
    } catch (error) {
      assert.ok(error instanceof Damaged, String(error))
    }
  }
  for (const length of [0, 1, 511, 512, 513, 1024, whole.length - 1025]) {
    writeFileSync(file, whole.subarray(0, length))
    await assert.rejects(read(file, listArchive), Damaged, `cut off at ${length}`)
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(2047), fc.nat(255), async (at, byte) => {
      const changed = Buffer.from(whole)
      changed[at] = byte
      await judge(changed)
    }),
    { numRuns: 60 },
  )
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), judge), { numRuns: 60 })
})
