import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { PEERS, type Peer } from '../support/mcp-clients.ts'
import { server as program, startTestRunner, TOKEN } from '../support/runner.ts'
import { problemIn, startStdioDesk, toolValueOf } from '../support/stdio-desk.ts'
import { startTestServer } from './server.ts'

const connect = (url: string, headers: Record<string, string>, peer = 'SDK v1'): Promise<Peer> =>
  PEERS[peer]!(url, headers)

test('servers over stdio of both eras are called by clients of both eras, through two gateway threads', async () => {
  await using desk = await startStdioDesk(
    { old: program('legacy'), both: program('sdk-v2') },
    { workers: 2, origins: { both: { policy: null } } },
  )
  for (const name of Object.keys(PEERS)) {
    const peer = await connect(desk.url, desk.headers.acme, name)
    const tools = (await peer.tools()).map((tool) => tool.name)
    assert.ok(tools.includes('pid') && tools.includes('greet'), tools.join(' '))
    assert.deepEqual(await toolValueOf(peer, 'echo', { a: 1 }), { a: 1 })
    assert.equal((await peer.call('both_echo', { text: 'x' })).content[0]?.text, 'modern x')
    await peer.close()
  }
  // Both threads share the processes: a shared entry has one for all callers of an origin
  const [first, second] = await Promise.all([
    connect(desk.url, desk.headers.acme),
    connect(desk.url, desk.headers.other),
  ])
  const pids = await Promise.all([first, second, first, second].map((peer) => toolValueOf(peer, 'pid')))
  assert.equal(new Set(pids).size, 1)
})

test('a server that ends in the middle of a call: the error says so, and the next call works', async () => {
  await using desk = await startStdioDesk({ old: program('legacy') }, { workers: 2 })
  const peer = await connect(desk.url, desk.headers.acme)
  const before = await toolValueOf(peer, 'pid')
  const problem = problemIn(await peer.call('exit', {}))
  assert.equal(problem['code'], 'upstream_unreachable')
  assert.deepEqual(
    [problem['origin'], problem['executed'], problem['runner_reason']],
    ['old', 'unknown', 'process_ended'],
  )
  assert.match(
    String(problem['detail']),
    /^The origin "old" did not answer the call: The server .* may have executed the call\.$/,
  )
  assert.notEqual(await toolValueOf(peer, 'pid'), before)
  // A second crash within a minute: the runner waits, and says how long
  problemIn(await peer.call('exit', {}))
  const waits = problemIn(await peer.call('pid', {}))
  assert.deepEqual(
    [waits['code'], waits['runner_reason'], waits['executed']],
    ['upstream_unavailable', 'backoff', 'no'],
  )
  assert.ok(Number(waits['retry_after_ms']) > 0)
  desk.moveRunner(2000)
  await eventually(async () => (await peer.call('pid', {})).isError !== true)
})

test('a runner that was started again takes the next call; one that is down is told with the origin', async () => {
  await using desk = await startStdioDesk({ old: program('legacy') }, { workers: 2 })
  const peer = await connect(desk.url, desk.headers.acme)
  const before = await toolValueOf(peer, 'pid')
  await desk.stopRunner()
  const problem = problemIn(await peer.call('pid', {}))
  // unavailable where the thread has no session yet
  assert.match(String(problem['code']), /^upstream_(unreachable|unavailable)$/)
  assert.equal(problem['origin'], 'old')
  const tested = await desk.server.manage('POST', '/origins/old/test', {})
  assert.equal(tested.json.ok, false)
  assert.match(
    tested.json.summary,
    /entries failed: the runner at unix:\S+ does not answer \(.*ENOENT.*start it with postern runner/,
  )
  await desk.startRunner()
  assert.notEqual(await toolValueOf(peer, 'pid'), before)
  assert.equal((await desk.server.manage('POST', '/origins/old/test', {})).json.ok, true)
})

test('an entry with an instance per user: users of one thread and of two never share a process', async () => {
  await using desk = await startStdioDesk(
    { own: { ...program('legacy'), instance: 'per_user' } },
    { workers: 2 },
  )
  const peers = await Promise.all(
    ['acme', 'acme', 'acme', 'other', 'other', 'other'].map((client) =>
      connect(desk.url, desk.headers[client as 'acme']),
    ),
  )
  const pids = await Promise.all(peers.map((peer) => toolValueOf(peer, 'pid')))
  assert.equal(new Set(pids.slice(0, 3)).size, 1)
  assert.equal(new Set(pids.slice(3)).size, 1)
  assert.notEqual(pids[0], pids[3])
  assert.equal((await desk.server.manage('GET', '/origins/own')).json.reachable, 'ok')
  // A caller cannot name the user
  const claims = { ...desk.headers.other, 'Runner-Instance': 'acme', 'Runner-Origin': 'x' }
  assert.equal(await toolValueOf(await connect(desk.url, claims), 'pid'), pids[3])
})

test('a server beyond its memory limit is ended, and the call says why', async () => {
  await using desk = await startStdioDesk({ old: { ...program('legacy'), limits: { memory: '150M' } } })
  const peer = await connect(desk.url, desk.headers.acme)
  const problem = problemIn(await peer.call('fill', { mb: 300 }))
  assert.deepEqual([problem['runner_reason'], problem['executed']], ['memory_exceeded', 'unknown'])
  assert.match(String(problem['detail']), /limits\.memory/)
})

test('saving asks the runner: it names its entries, and says what is wrong with parameters', async () => {
  await using desk = await startStdioDesk(
    { files: { ...program('legacy', '{project}'), parameters: { project: { pattern: '[a-z]+' } } } },
    { origins: { files: { parameters: { project: 'alpha' } } } },
  )
  const { server } = desk
  const save = (more: object) => server.manage('POST', '/origins', { name: 'New', kind: 'stdio', ...more })
  const wrong: readonly [object, string, RegExp][] = [
    [{ entry: 'fils' }, '/entry', /the runner offers no entry "fils", but files/],
    [{ entry: 'files' }, '/parameters', /project/],
    [{ entry: 'files', parameters: { project: '../etc' } }, '/parameters', /project/],
    [
      { entry: 'files', parameters: { project: 'a', other: 'b' } },
      '/parameters',
      /other: the entry has no such parameter/,
    ],
  ]
  for (const [more, pointer, reason] of wrong) {
    const { status, json } = await save(more)
    assert.deepEqual([status, json.code, json.errors[0].pointer], [422, 'configuration_invalid', pointer])
    assert.match(json.errors[0].reason, reason)
  }
  const saved = await save({ entry: 'files', parameters: { project: 'beta' } })
  assert.equal(saved.status, 201, saved.text)
  const peer = await connect(desk.url, desk.headers.acme)
  assert.deepEqual(await toolValueOf(peer, 'arguments'), ['alpha'])
  // Other values are another command: what was found before means nothing
  assert.equal(
    (await server.manage('PATCH', '/origins/files', { parameters: { project: 'Not' } })).status,
    422,
  )
  assert.equal(
    (await server.manage('PATCH', '/origins/files', { parameters: { project: 'gamma' } })).status,
    200,
  )
  assert.deepEqual(await toolValueOf(peer, 'arguments'), ['gamma'])
})

test('without POSTERN_RUNNER an origin of kind stdio is refused, and no member of an origin names a socket', async () => {
  await using server = await startTestServer()
  const refused = await server.manage('POST', '/origins', { name: 'Files', kind: 'stdio', entry: 'files' })
  assert.deepEqual([refused.status, refused.json.errors[0].pointer], [422, '/kind'])
  assert.match(refused.json.detail, /POSTERN_RUNNER/)
  for (const url of [
    'unix:/var/run/docker.sock',
    'http://unix:/var/run/docker.sock:/x',
    'file:///var/run/docker.sock',
  ])
    assert.ok(
      [400, 422].includes((await server.manage('POST', '/origins', { name: 'Docker', url })).status),
      url,
    )
  // Switched off, it asks for no runner; it cannot be switched on
  const off = { name: 'Files', kind: 'stdio', entry: 'files', active: false }
  assert.equal((await server.manage('POST', '/origins', off)).status, 201)
  assert.equal((await server.manage('POST', '/origins/files/toggle', { active: true })).status, 422)
})

test('a runner at an address gets the token of the settings, and one that does not know it is told', async () => {
  await using started = await startTestRunner({ old: program('legacy') })
  using files = tokenFiles(TOKEN, 'another-token')
  const flags = (file: string) => [
    '--runner',
    `http://127.0.0.1:${started.runner.port}`,
    '--runner-token-file',
    file,
  ]
  const origin = { name: 'Old', kind: 'stdio', entry: 'old' }
  {
    await using server = await startTestServer({ flags: flags(files.paths[0]!) })
    assert.equal((await server.manage('POST', '/origins', origin)).status, 201)
    const { json } = await server.manage('POST', '/origins/old/test', {})
    assert.equal(json.ok, true, JSON.stringify(json))
  }
  await using server = await startTestServer({ flags: flags(files.paths[1]!) })
  const refused = await server.manage('POST', '/origins', origin)
  assert.match(refused.json.detail, /entries failed: status 401, the runner does not know the token/)
  assert.doesNotMatch(refused.text + server.log.join(), /another-token/)
})

test('an origin whose Postern was started without the runner is refused with the reason, and can be switched off', async () => {
  await using started = await startTestRunner({ old: program('legacy') })
  using files = tokenFiles(TOKEN)
  const data = files.directory
  const runner = `http://127.0.0.1:${started.runner.port}`
  const first = await startTestServer({
    data,
    flags: ['--runner', runner, '--runner-token-file', files.paths[0]!],
  })
  await first.manage('POST', '/origins', { name: 'Old', kind: 'stdio', entry: 'old' })
  await first.stop()
  await using server = await startTestServer({ data })
  const tested = await server.manage('POST', '/origins/old/test', {})
  assert.match(tested.json.summary, /POSTERN_RUNNER is not set/)
  assert.equal((await server.manage('PATCH', '/origins/old', { name: 'Older' })).status, 422)
  assert.equal((await server.manage('POST', '/origins/old/toggle', { active: false })).status, 200)
})

test('a private socket of Postern is no runner', async () => {
  using files = tokenFiles()
  const flags = ['--runner', `unix:${join(files.directory, 'control.sock')}`]
  await using server = await startTestServer({ data: files.directory, flags })
  const refused = await server.manage('POST', '/origins', { name: 'Own', kind: 'stdio', entry: 'own' })
  assert.match(refused.json.detail, /is refused: it is a private socket of this Postern/)
})

/** Files that hold a token each, in a directory of their own. */
function tokenFiles(...tokens: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'postern-token-'))
  const paths = tokens.map((token, index) => {
    const path = join(directory, `token-${index}`)
    writeFileSync(path, `${token}\n`, { mode: 0o600 })
    return path
  })
  return { directory, paths, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
}
