import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { findSocket, LOCAL_SOCKET, openSocketDirectory, SOCKETS_FILE } from './address.ts'

function temporary(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sockets-test-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A data directory whose path is too long for a socket. */
function longDirectory(t: TestContext): string {
  const path = join(temporary(t), 'a'.repeat(60), 'b'.repeat(60))
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

async function listenAt(t: TestContext, path: string): Promise<void> {
  const server = createServer().listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
}

test('the sockets of a short data directory are in it', async (t) => {
  const data = temporary(t)
  const sockets = openSocketDirectory(data)
  assert.equal(sockets.path, data)
  assert.equal(findSocket(data, LOCAL_SOCKET), null)
  await listenAt(t, join(data, LOCAL_SOCKET))
  assert.equal(findSocket(data, LOCAL_SOCKET), join(data, LOCAL_SOCKET))
  sockets.close()
  assert.ok(existsSync(data))
})

test('those of a long one are in a new private directory that only the data directory names', async (t) => {
  const data = longDirectory(t)
  const sockets = openSocketDirectory(data)
  t.after(() => sockets.close())
  assert.equal(lstatSync(sockets.path).mode & 0o777, 0o700)
  assert.equal(lstatSync(join(data, SOCKETS_FILE)).mode & 0o777, 0o600)
  const other = openSocketDirectory(longDirectory(t))
  t.after(() => other.close())
  assert.notEqual(other.path, sockets.path)
  await listenAt(t, join(sockets.path, LOCAL_SOCKET))
  assert.equal(findSocket(data, LOCAL_SOCKET), join(sockets.path, LOCAL_SOCKET))
})

test('what a killed process has left is removed, and nothing else', (t) => {
  const data = longDirectory(t)
  const left = openSocketDirectory(data).path
  const sockets = openSocketDirectory(data)
  assert.equal(existsSync(left), false)
  sockets.close()
  assert.equal(existsSync(sockets.path), false)
  assert.equal(existsSync(join(data, SOCKETS_FILE)), false)
  const foreign = temporary(t)
  writeFileSync(join(foreign, 'kept'), '')
  writeFileSync(join(data, SOCKETS_FILE), foreign)
  openSocketDirectory(data).close()
  assert.ok(existsSync(join(foreign, 'kept')))
})

test('a directory that others can enter, or a link to one, is not used', (t) => {
  const data = longDirectory(t)
  const sockets = openSocketDirectory(data)
  t.after(() => sockets.close())
  chmodSync(sockets.path, 0o755)
  assert.throws(() => findSocket(data, LOCAL_SOCKET), /is not private to the user/)
  chmodSync(sockets.path, 0o700)
  assert.equal(findSocket(data, LOCAL_SOCKET), null)
  const link = join(temporary(t), 'link')
  symlinkSync(readFileSync(join(data, SOCKETS_FILE), 'utf8'), link)
  writeFileSync(join(data, SOCKETS_FILE), link)
  assert.throws(() => findSocket(data, LOCAL_SOCKET), /is not private to the user/)
  writeFileSync(join(data, SOCKETS_FILE), sockets.path)
})

test('a file or a link in the place of the socket is not used', async (t) => {
  const data = temporary(t)
  writeFileSync(join(data, LOCAL_SOCKET), '')
  assert.throws(() => findSocket(data, LOCAL_SOCKET), /is not a socket/)
  rmSync(join(data, LOCAL_SOCKET))
  const elsewhere = join(temporary(t), 'other.sock')
  await listenAt(t, elsewhere)
  symlinkSync(elsewhere, join(data, LOCAL_SOCKET))
  assert.throws(() => findSocket(data, LOCAL_SOCKET), /is not a socket/)
})

test('a socket of another user is not used', {
  skip: process.getuid?.() === 0 ? false : 'needs root, to give a socket to another user',
}, async (t) => {
  const data = temporary(t)
  await listenAt(t, join(data, LOCAL_SOCKET))
  chownSync(join(data, LOCAL_SOCKET), 65_534, 65_534)
  assert.throws(() => findSocket(data, LOCAL_SOCKET), /belongs to another user/)
})
