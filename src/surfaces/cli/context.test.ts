import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { startSampleServer } from '../../../test/fixtures/sample-server.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { runCli } from './program.ts'

let server: Awaited<ReturnType<typeof startSampleServer>>
const directory = mkdtempSync(join(tmpdir(), 'postern-contexts-'))
const file = join(directory, 'own', 'contexts.json')
before(async () => {
  server = await startSampleServer()
})
beforeEach(() => rmSync(dirname(file), { recursive: true, force: true }))
after(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

async function postern(line: string, env: Record<string, string> = {}, stdin = '') {
  const ports = cliPorts({
    operations: sampleOperations,
    env: { POSTERN_CONFIG: file, POSTERN_DATA: join(directory, 'none'), ...env },
    readStdin: async () => stdin,
  })
  return { code: await runCli(ports, line.split(' ')), ...ports.printed }
}

const works = async (line: string, env: Record<string, string> = {}, stdin = '') => {
  const { code, out, err } = await postern(`${line} -o json`, env, stdin)
  assert.equal(code, 0, `${line}: ${err}`)
  return JSON.parse(out)
}

test('a context is added, listed, used, shown and removed, and never shows its token', async () => {
  await works(`context add one --url ${server.url}/management/v1 --token-stdin`, {}, 'admin-token\n')
  await works(`context add two --url https://two.example`)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const { items } = await works('context list')
  assert.deepEqual(items, [
    { name: 'one', current: true, url: server.url, credential: 'token' },
    { name: 'two', current: false, url: 'https://two.example', credential: 'none' },
  ])
  assert.equal((await postern('gadgets list')).code, 0)
  await works('context use two')
  assert.match((await postern('gadgets list')).err, /The context two has no token/)
  assert.doesNotMatch((await postern('context show one')).out, /admin-token/)
  await works('context remove two')
  assert.match((await postern('context show')).err, /No context is in use/)
  assert.deepEqual(readdirSync(dirname(file)).sort(), ['contexts.json', 'contexts.json.lock'])
  for (const line of [
    'context use two',
    'context add bad/name --url http://a.example',
    'context add x',
    'context add x --url http://a.example --data .',
    'context add x --data . --token-stdin',
    'context add x --url ftp://a.example',
  ])
    assert.equal((await postern(line)).code, 2, line)
})

test('a token in the environment goes before --context, that before the current one, that before the data directory', async () => {
  const token = join(directory, 'token')
  writeFileSync(token, 'viewer-token\n')
  await works(`context add one --url ${server.url} --token-file ${token}`)
  await works('context add two --url http://127.0.0.1:1 --token-stdin', {}, 'x')
  const here = { POSTERN_URL: server.url, POSTERN_TOKEN: 'admin-token' }
  assert.equal((await postern('gadgets list --context two', here)).code, 0)
  assert.equal((await postern('gadgets list')).code, 0, 'one is the current one')
  assert.match(
    (await postern('gadgets list --context two')).err,
    /Nothing answered at http:\/\/127\.0\.0\.1:1/,
  )
  assert.match((await postern('gadgets list', { POSTERN_CONTEXT: 'two' })).err, /Nothing answered at/)
  const own = await postern('gadgets list', { POSTERN_TOKEN: 'wrong-token' })
  assert.match(
    own.err,
    /credential_invalid/,
    'the address is that of the context, the token that of the environment',
  )
  assert.match((await postern('gadgets list --data /nowhere')).err, /nothing runs on \/nowhere/)
  const elsewhere = await postern('gadgets list --context one --url http://other.example')
  assert.match(elsewhere.err, /The context one is for .* leave out one of the two/)
  assert.equal((await postern('gadgets list --context one --data .')).code, 2)
  assert.equal((await postern('gadgets list --context three')).code, 2)
  writeFileSync(token, '')
  assert.match((await postern('gadgets list')).err, /The token file .* is empty/)
})

test('a file that others can read, or that is broken, is refused in a sentence and left as it is', async () => {
  await works('context add one --url http://one.example')
  chmodSync(file, 0o640)
  const open = await postern('context list')
  assert.equal(open.code, 1)
  assert.match(open.err, /can be read by other users \(mode 640\)\. Run: chmod 600 .+$/m)
  chmodSync(file, 0o600)
  for (const text of ['{', '[]', '{"version":1,"current":null,"contexts":{"a":{"url":"x"}}}']) {
    writeFileSync(file, text)
    const broken = await postern('context use one')
    assert.equal(broken.code, 1)
    assert.match(broken.err, /is not a valid list of contexts \(.+\)\. Correct it, or delete it/)
    assert.equal(readFileSync(file, 'utf8'), text)
  }
  const { code } = await postern('gadgets list', { POSTERN_URL: server.url, POSTERN_TOKEN: 'admin-token' })
  assert.equal(code, 0, 'who says where and shows a token needs no file')
})
