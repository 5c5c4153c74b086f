import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { Misbehaving } from '../../../test/support/misbehaving.ts'
import { TcpProxy } from '../../../test/support/tcp-proxy.ts'
import {
  NO_VALKEY,
  startValkey,
  startValkeyCluster,
  type TestValkey,
  valkeyAddress,
  valkeyCertificate,
} from '../../../test/support/valkey.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import type { ScriptCall, Valkey } from '../ports/valkey.ts'
import { openValkey } from './valkey.ts'

const skip = NO_VALKEY
const PASSWORD = 'pass-of-valkey-51c9'
/** A thread of this process may be late by much on a machine that is busy. */
const DEADLINE_MS = 50
const SLACK_MS = 2000

const SCRIPTS = {
  count: "return { redis.call('HINCRBY', KEYS[1], 'n', ARGV[1]), ARGV[1] }",
  echo: 'return ARGV',
  wrong: "return redis.call('HGET', KEYS[1], 'a')",
  long: 'local n = 0 while n < 1e12 do n = n + 1 end return { n }',
}

const count = (key: string, by = 1): ScriptCall => ({ script: 'count', keys: [key], args: [by] })

interface Opened extends AsyncDisposable {
  readonly valkey: Valkey
  readonly lines: readonly string[]
  /** How often it told of a change. */
  readonly changes: () => number
}

function opened(url: string): Opened {
  const lines: string[] = []
  const valkey = openValkey({
    address: valkeyAddress(url),
    scripts: SCRIPTS,
    log: (level, message) => lines.push(`${level}: ${message}`),
  })
  let changes = 0
  valkey.whenChanged(() => changes++)
  return { valkey, lines, changes: () => changes, [Symbol.asyncDispose]: () => valkey.close() }
}

async function openedUp(url: string): Promise<Opened> {
  const its = opened(url)
  await isUp(its)
  return its
}

const isUp = ({ valkey, lines }: Opened): Promise<void> =>
  eventually(
    () => valkey.isUp,
    () => `a connection: ${lines.join('\n')}`,
  )
const isDown = ({ valkey }: Opened): Promise<void> => eventually(() => !valkey.isUp)
const urlOf = ({ port }: { readonly port: number }): string => `redis://:${PASSWORD}@127.0.0.1:${port}`
const start = (): Promise<TestValkey> => startValkey({ password: PASSWORD })

/** Rejects as a store that cannot be used. @returns milliseconds until then */
async function refused(valkey: Valkey, what = /./, deadlineMs = DEADLINE_MS): Promise<number> {
  const begun = performance.now()
  await assert.rejects(valkey.run([count('a')], deadlineMs), (error) => {
    assert.ok(error instanceof StoreUnavailable, String(error))
    assert.match(String(error.facts.inner), what)
    assert.doesNotMatch(JSON.stringify(error.facts) + error.message, new RegExp(PASSWORD))
    return true
  })
  return performance.now() - begun
}

test('scripts run in one pipeline, and answers come in the order of the calls', { skip }, async () => {
  await using server = await start()
  await using its = await openedUp(urlOf(server))
  const calls = [
    count('a', 2),
    { script: 'echo', keys: [], args: ['x', 7, '{"é":1}'] },
    count('b'),
    count('a'),
  ]
  const answers = await its.valkey.run(calls, SLACK_MS)
  assert.deepEqual(answers, [
    [2, '2'],
    ['x', '7', '{"é":1}'],
    [1, '1'],
    [3, '1'],
  ])
  // The server has forgotten its scripts
  server.cli('SCRIPT', 'FLUSH')
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[4, '1']])
  assert.match(its.valkey.era, /^[0-9a-f]{40}\/[0-9a-f]{40}$/)
  assert.deepEqual([its.changes(), its.lines.length], [1, 1])
})

test('a script that fails is an error of the script, and the connection stays', { skip }, async () => {
  await using server = await start()
  await using its = await openedUp(urlOf(server))
  server.cli('SET', 'text', 'x')
  const run = its.valkey.run([{ script: 'wrong', keys: ['text'], args: [] }], SLACK_MS)
  await assert.rejects(
    run,
    (error) => !(error instanceof StoreUnavailable) && /WRONGTYPE/.test(String(error)),
  )
  await assert.rejects(its.valkey.run([{ script: 'other', keys: [], args: [] }], SLACK_MS), /no script/)
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
  assert.equal(its.changes(), 1)
})

test('a server that hangs costs one deadline, later calls reject at once, and the connection comes back', {
  skip,
}, async () => {
  await using server = await start()
  await using its = await openedUp(urlOf(server))
  const { era } = its.valkey
  server.pause()
  const waited = await Promise.all([
    refused(its.valkey, /no answer within 50 ms/),
    refused(its.valkey, /no answer within 50 ms/),
  ])
  assert.ok(
    waited.every((ms) => ms >= DEADLINE_MS - 5 && ms < SLACK_MS),
    String(waited),
  )
  assert.equal(its.valkey.isUp, false)
  assert.equal(its.changes(), 2)
  // A thousand calls wait for nothing
  const begun = performance.now()
  for (let n = 0; n < 1000; n++) await refused(its.valkey)
  assert.ok(performance.now() - begun < SLACK_MS)
  server.resume()
  await isUp(its)
  assert.equal(its.changes(), 3)
  assert.equal(its.valkey.era, era)
  // The answers of the calls before came late, and are not taken for those of others
  assert.deepEqual(await its.valkey.run([{ script: 'echo', keys: [], args: ['now'] }], SLACK_MS), [['now']])
})

test('a pause of this thread is not taken for one of the server', { skip }, async () => {
  await using server = await start()
  await using its = await openedUp(urlOf(server))
  const run = its.valkey.run([count('a')], DEADLINE_MS)
  // Nothing else runs meanwhile: the call is not sent before the time is over
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * DEADLINE_MS)
  assert.deepEqual(await run, [[1, '1']])
  assert.equal(its.changes(), 1)
})

test('a server that was killed and started again has another era', { skip }, async () => {
  await using server = await start()
  await using its = await openedUp(urlOf(server))
  const { era } = its.valkey
  await its.valkey.run([count('a', 5)], SLACK_MS)
  await server.kill()
  await isDown(its)
  assert.ok((await refused(its.valkey)) < SLACK_MS)
  assert.match(its.lines.at(-1)!, /^error: redis:\/\/127\.0\.0\.1:\d+ cannot be used: /)
  let eraOfRun = ''
  its.valkey.whenChanged(() => {
    if (its.valkey.isUp) eraOfRun = its.valkey.era
  })
  await server.start()
  await isUp(its)
  assert.notEqual(its.valkey.era, era)
  assert.equal(eraOfRun, its.valkey.era)
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
})

test('an address that nobody answers at is no failure, and is connected to once somebody does', {
  skip,
}, async () => {
  await using server = await start()
  await using proxy = await TcpProxy.make(server.port)
  await using its = opened(urlOf(proxy))
  await eventually(() => its.lines.length > 0)
  assert.match(its.lines[0]!, /^error: .*ECONNREFUSED.*every second/)
  assert.equal(its.valkey.era, '')
  await refused(its.valkey, /ECONNREFUSED/)
  await proxy.open()
  await isUp(its)
  assert.match(its.lines.at(-1)!, /^info: .*can be used: connected to 127\.0\.0\.1:\d+ \((Redis|Valkey) \d/)
})

test('a replica that takes over is found, and has another era', { skip }, async () => {
  await using first = await start()
  await using second = await startValkey({ password: PASSWORD, replicaOf: first.port })
  await eventually(() => second.cli('INFO', 'replication').includes('master_link_status:up'))
  // The replica comes first in the list
  await using its = await openedUp(`redis://:${PASSWORD}@127.0.0.1:${second.port},127.0.0.1:${first.port}`)
  const { era } = its.valkey
  await its.valkey.run([count('a', 5)], SLACK_MS)
  assert.equal(first.cli('HGET', 'a', 'n'), '5')
  await eventually(() => second.cli('HGET', 'a', 'n') === '5')
  await first.kill()
  await isDown(its)
  await eventually(() => its.lines.at(-1)!.includes('no server is a primary'))
  second.cli('REPLICAOF', 'NO', 'ONE')
  await isUp(its)
  assert.notEqual(its.valkey.era, era)
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[6, '1']])
})

test('a primary that becomes a replica while it is connected is left', { skip }, async () => {
  await using first = await start()
  await using second = await startValkey({ password: PASSWORD, replicaOf: first.port })
  await eventually(() => second.cli('INFO', 'replication').includes('master_link_status:up'))
  await using its = await openedUp(`redis://:${PASSWORD}@127.0.0.1:${first.port},127.0.0.1:${second.port}`)
  const { era } = its.valkey
  second.cli('REPLICAOF', 'NO', 'ONE')
  first.cli('REPLICAOF', '127.0.0.1', String(second.port))
  await eventually(() => its.valkey.isUp && its.valkey.era !== era)
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
  assert.equal(second.cli('HGET', 'a', 'n'), '1')
})

test('in a cluster, calls go to the server that has the slot of their hash tag', { skip }, async () => {
  const servers = await startValkeyCluster(PASSWORD)
  await using stack = new AsyncDisposableStack()
  for (const server of servers) stack.use(server)
  for (const { cli } of servers) cli(...aclOfPage())
  await using its = await openedUp(`redis://postern:${PASSWORD}@127.0.0.1:${servers[1]!.port}`)
  const keys = Array.from({ length: 60 }, (_, n) => `pst:{tag-${n}}:r`)
  const answers = await its.valkey.run(
    keys.map((key, n) => count(key, n + 1)),
    SLACK_MS,
  )
  assert.deepEqual(
    answers,
    keys.map((_, n) => [n + 1, String(n + 1)]),
  )
  const sizes = servers.map(({ cli }) => Number(cli('DBSIZE')))
  assert.equal(
    sizes.reduce((sum, one) => sum + one),
    60,
  )
  assert.ok(
    sizes.every((one) => one > 0),
    String(sizes),
  )
  assert.equal(its.valkey.era.split(',').length, 3)

  // A slot moves: its calls follow
  const slot = servers[0]!.cli('CLUSTER', 'KEYSLOT', keys[0]!)
  const ids = servers.map(({ cli }) => cli('CLUSTER', 'MYID'))
  const from = servers.findIndex(({ cli }) => cli('CLUSTER', 'COUNTKEYSINSLOT', slot) === '1')
  const to = (from + 1) % 3
  const { era } = its.valkey
  servers[to]!.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!)
  servers[from]!.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!)
  servers[from]!.cli(
    'MIGRATE',
    '127.0.0.1',
    String(servers[to]!.port),
    keys[0]!,
    '0',
    '5000',
    'AUTH',
    PASSWORD,
  )
  assert.deepEqual(await its.valkey.run([count(keys[0]!)], SLACK_MS), [[2, '1']])
  for (const { cli } of [servers[to]!, servers[from]!]) cli('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!)
  assert.deepEqual(await its.valkey.run([count(keys[0]!)], SLACK_MS), [[3, '1']])
  assert.deepEqual([its.valkey.era, its.changes()], [era, 1])

  // Without one of its primaries the cluster is not used
  await servers[2]!.kill()
  await isDown(its)
  await servers[2]!.start()
  // It kept no users
  servers[2]!.cli(...aclOfPage())
  await isUp(its)
  assert.notEqual(its.valkey.era, era)
})

test('a replica that takes over in a cluster is found, also if the URL names only the lost primary', {
  skip,
}, async () => {
  await using stack = new AsyncDisposableStack()
  const servers = await startValkeyCluster(PASSWORD, { replicas: 1 })
  for (const server of servers) stack.use(server)
  const primary = servers.find(({ cli }) => cli('ROLE').startsWith('master'))!
  await using its = await openedUp(urlOf(primary))
  const { era } = its.valkey
  const keys = Array.from({ length: 20 }, (_, n) => `pst:{tag-${n}}:r`)
  await its.valkey.run(
    keys.map((key) => count(key)),
    SLACK_MS,
  )
  await primary.kill()
  await isDown(its)
  await isUp(its)
  assert.notEqual(its.valkey.era, era)
  const answers = await its.valkey.run(
    keys.map((key) => count(key)),
    SLACK_MS,
  )
  // The replica may lack what its primary counted last
  assert.ok(answers.every(([sum]) => sum === 1 || sum === 2))
})

test('TLS verifies the certificate by the authorities of the URL', { skip }, async () => {
  const { authority, server: certificate } = valkeyCertificate()
  await using server = await startValkey({ password: PASSWORD, certificate })
  const directory = mkdtempSync(join(tmpdir(), 'postern-valkey-'))
  using files = new DisposableStack()
  files.defer(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'ca.pem')
  writeFileSync(file, authority.certificate)
  const url = `rediss://:${PASSWORD}@127.0.0.1:${server.port}`
  {
    await using its = await openedUp(`${url}?sslrootcert=${encodeURIComponent(file)}`)
    assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
  }
  await using its = opened(url)
  await eventually(() => its.lines.some((line) => /certificate/.test(line)))
  assert.equal(its.valkey.isUp, false)
})

/** The words by which the page makes a user. */
function aclOfPage(): readonly string[] {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/several-nodes.md'), 'utf8')
  const [, line] = /^ACL SETUSER (.*)$/m.exec(page) ?? []
  return `ACL SETUSER ${line}`.replace('PASSWORD', PASSWORD).split(' ')
}

test('the user of the page is enough for scripts, and reaches no keys of others', { skip }, async () => {
  await using server = await start()
  server.cli(...aclOfPage())
  await using its = await openedUp(`redis://postern:${PASSWORD}@127.0.0.1:${server.port}`)
  assert.deepEqual(await its.valkey.run([count('pst:{a}:r')], SLACK_MS), [[1, '1']])
  await refused(its.valkey, /NOPERM|ACL|permission/i, SLACK_MS)
  assert.equal(its.valkey.isUp, true)
})

test('a wrong password is told of without the password, and a changed file is read', { skip }, async () => {
  await using server = await start()
  const directory = mkdtempSync(join(tmpdir(), 'postern-valkey-'))
  using files = new DisposableStack()
  files.defer(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'password')
  await using its = opened(`redis://127.0.0.1:${server.port}?password_file=${encodeURIComponent(file)}`)
  await eventually(() => its.lines.some((line) => /password_file cannot be read/.test(line)))
  writeFileSync(file, `wrong-${PASSWORD}\n`)
  await eventually(() => its.lines.some((line) => /WRONGPASS/.test(line)))
  await refused(its.valkey, /WRONGPASS/)
  writeFileSync(file, `${PASSWORD}\nsecond line\n`)
  await isUp(its)
  assert.ok(!its.lines.some((line) => line.includes(PASSWORD)), its.lines.join('\n'))
})

test('a connection whose answers are lost on the way is given up, also while nothing is asked', {
  skip,
}, async () => {
  await using server = await start()
  await using proxy = await TcpProxy.make(server.port)
  await proxy.open()
  await using its = await openedUp(urlOf(proxy))
  proxy.dropAnswers()
  await isDown(its)
  assert.match(its.lines.at(-1)!, /no answer within/)
  await proxy.cut()
  await proxy.open()
  await isUp(its)
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
})

test('a server with another policy than noeviction is warned of by name', { skip }, async () => {
  await using server = await startValkey({
    password: PASSWORD,
    settings: { 'maxmemory-policy': 'allkeys-lru' },
  })
  await using its = await openedUp(urlOf(server))
  assert.match(
    its.lines.at(-1)!,
    new RegExp(`^warn: 127.0.0.1:${server.port} has the maxmemory-policy allkeys-lru`),
  )
})

test('a full server refuses calls, and the connection stays', { skip }, async () => {
  await using server = await start()
  await using its = await openedUp(urlOf(server))
  server.cli('CONFIG', 'SET', 'maxmemory', '1')
  await refused(its.valkey, /OOM/, SLACK_MS)
  await refused(its.valkey, /OOM/, SLACK_MS)
  assert.deepEqual([its.valkey.isUp, its.lines.filter((line) => line.includes('OOM')).length], [true, 1])
  server.cli('CONFIG', 'SET', 'maxmemory', '0')
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
})

test('a script that does not end is given up at the deadline', { skip }, async () => {
  await using server = await startValkey({ password: PASSWORD, settings: { 'busy-reply-threshold': '10' } })
  await using its = await openedUp(urlOf(server))
  await assert.rejects(
    its.valkey.run([{ script: 'long', keys: ['a'], args: [] }], DEADLINE_MS),
    StoreUnavailable,
  )
  await eventually(() => its.lines.at(-1)!.includes('BUSY'))
  server.cli('SCRIPT', 'KILL')
  await isUp(its)
})

for (const [what, bytes] of [
  ['garbage', '\0\xff\x07HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['nothing', ''],
  ['an endless text', `$2000000000\r\n${'x'.repeat(1e6)}`],
  ['answers that nobody asked for', ':1\r\n'.repeat(1000)],
  ['nested lists without end', '*1\r\n'.repeat(200_000)],
  ['the answer to other commands', '+OK\r\n+OK\r\n+OK\r\n'],
] as const)
  test(`a server that answers ${what} is not up, and harms nothing`, async () => {
    const misbehaving = new Misbehaving()
    using servers = new DisposableStack()
    servers.defer(() => misbehaving.close())
    const server = await misbehaving.start((socket) => socket.on('data', () => socket.write(bytes, 'latin1')))
    await using its = opened(urlOf(server))
    await eventually(() => its.lines.length > 0)
    assert.match(its.lines[0]!, /^error: redis:\/\/127\.0\.0\.1:\d+ cannot be used: /)
    assert.equal(its.valkey.isUp, false)
    await refused(its.valkey)
    for (const socket of server.sockets) socket.destroy()
  })

test('garbage in the place of an answer ends the connection', { skip }, async () => {
  await using server = await start()
  await using proxy = await TcpProxy.make(server.port)
  await proxy.open()
  await using its = await openedUp(urlOf(proxy))
  proxy.say(':1\r\n:2\r\n\0\0')
  await isDown(its)
  await isUp(its)
  assert.deepEqual(await its.valkey.run([count('a')], SLACK_MS), [[1, '1']])
})

test('calls that wait reject when it is closed, and nothing connects again', { skip }, async () => {
  await using server = await start()
  const its = await openedUp(urlOf(server))
  server.pause()
  const run = refused(its.valkey, /closed/, SLACK_MS)
  await its.valkey.close()
  await run
  server.resume()
  assert.equal(its.valkey.isUp, false)
  await refused(its.valkey)
  assert.ok(its.lines.every((line) => !line.startsWith('error')))
})
