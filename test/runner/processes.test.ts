/** How the runner starts, bounds and ends processes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClock } from '../../src/base/clock.ts'
import { readRunnerFile } from '../../src/runner/file.ts'
import { markOfFile } from '../../src/runner/process-table.ts'
import { startRunner } from '../../src/runner/runner.ts'
import { eventually } from '../support/eventually.ts'
import { IS_LONG } from '../support/long.ts'
import {
  initialize,
  markedProcesses,
  runnerFile,
  type StartedRunner,
  server,
  startTestRunner,
  type TestSession,
  TINY,
  toolCall,
} from '../support/runner.ts'

const none = (file: string): boolean => markedProcesses(file).length === 0

/** The reason that a call is answered with. */
async function reasonOf(session: TestSession, name: string, args: object = {}): Promise<unknown> {
  const { messages } = await session.send({
    id: 'r',
    method: 'tools/call',
    params: { name, arguments: args },
  })
  return messages.at(-1)!.error?.data
}

test('a server gets its fixed arguments, the declared parameters and environment, and nothing of the runner', async () => {
  const legacy = server('legacy')
  using secret = runnerFile({})
  const file = join(secret.directory, 'secret')
  writeFileSync(file, 'from-a-file\n', { mode: 0o600 })
  await using started = await startTestRunner({
    small: {
      ...legacy,
      args: [...legacy.args, '--root=/data/{project}', '{mode}', '$HOME; echo `id`'],
      parameters: { project: { pattern: '[a-z]+' }, mode: { enum: ['-r', 'rw'], required: false } },
      env: { MODE: 'test', API_KEY: { file } },
      cwd: secret.directory,
    },
  })
  const parameters = (values: object): Record<string, string> => ({
    'runner-parameters': Buffer.from(JSON.stringify(values)).toString('base64'),
  })
  const session = await started.session('small', {}, parameters({ project: 'alpha' }))
  assert.deepEqual(await session.call('arguments'), ['--root=/data/alpha', '$HOME; echo `id`'])
  const { POSTERN_RUNNER_PROCESS: mark, ...environment } = (await session.call('environment')) as Record<
    string,
    string
  >
  assert.equal(typeof mark, 'string')
  assert.deepEqual(environment, { MODE: 'test', API_KEY: 'from-a-file' })
  assert.equal(await session.call('cwd'), realpathSync(secret.directory))
  const both = await started.session('small', {}, parameters({ project: 'alpha', mode: '-r' }))
  assert.deepEqual(await both.call('arguments'), ['--root=/data/alpha', '-r', '$HOME; echo `id`'])
  for (const [values, pointer] of [
    [{}, '/project'],
    [{ project: '../etc' }, '/project'],
    [{ project: 'alpha\n' }, '/project'],
    [{ project: 7 }, '/project'],
    [{ project: 'alpha', mode: 'w' }, '/mode'],
    [{ project: 'alpha', other: 'x' }, '/other'],
  ] as const) {
    const { status, messages } = await started.send('small', initialize(), parameters(values))
    const { reason, errors } = messages[0]!.error!.data!
    assert.deepEqual([status, reason], [400, 'parameters_invalid'])
    assert.equal((errors as { pointer: string }[])[0]!.pointer, pointer)
  }
  const { status } = await started.send('small', initialize(), { 'runner-parameters': '!' })
  assert.equal(status, 400)
})

test('a crash answers what is under way, ends the sessions, and the next session starts a new process', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const pid = await session.call('pid')
  const hanging = reasonOf(session, 'hang')
  await session.call('seen')
  assert.deepEqual(await reasonOf(session, 'exit'), { reason: 'process_ended', executed: 'unknown' })
  assert.deepEqual(await hanging, { reason: 'process_ended', executed: 'unknown' })
  assert.equal((await session.send({ id: 1, method: 'ping' })).status, 404)
  assert.notEqual(await (await started.session('small')).call('pid'), pid)
  assert.match(started.log.join('\n'), /exited with code 3/)
})

test('an answer that was written right before the end still arrives', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  assert.equal(await session.call('exitAfterAnswer'), 'last words')
})

test('a server that exits at once is started again after pauses that grow', async () => {
  await using started = await startTestRunner({ small: { program: '/bin/false', args: [] } })
  const attempt = async (): Promise<unknown[]> => {
    const { status, messages, headers } = await started.send('small', initialize())
    return [status, messages[0]!.error!.data!.reason, headers.get('retry-after')]
  }
  assert.deepEqual(await attempt(), [502, 'process_ended', null])
  assert.deepEqual(await attempt(), [502, 'process_ended', null])
  assert.deepEqual(await attempt(), [503, 'backoff', '1'])
  started.move(1000)
  assert.deepEqual(await attempt(), [502, 'process_ended', null])
  assert.deepEqual(await attempt(), [503, 'backoff', '2'])
  started.move(2000)
  assert.deepEqual(await attempt(), [502, 'process_ended', null])
  assert.deepEqual(await attempt(), [503, 'backoff', '4'])
})

test('a program that is no program any more is an answer, not a crash', async () => {
  using made = runnerFile({})
  const program = join(made.directory, 'program')
  writeFileSync(program, 'no program', { mode: 0o755 })
  await using started = await startTestRunner({ small: { program } })
  chmodSync(program, 0o644)
  const { status, messages } = await started.send('small', initialize())
  assert.deepEqual([status, messages[0]!.error!.data], [502, { reason: 'start_failed', executed: 'no' }])
  // A probe of the era is a start too
  const reasons: unknown[] = []
  for (let i = 0; i < 2; i++) {
    const probed = await started.send('small', ...DISCOVER)
    reasons.push(probed.messages[0]!.error!.data!.reason)
  }
  assert.deepEqual(reasons, ['start_failed', 'backoff'])
})

/** A request of 2026-07-28. */
const DISCOVER: [object, Record<string, string>] = [
  {
    jsonrpc: '2.0',
    id: 1,
    method: 'server/discover',
    params: {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  },
  { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' },
]

test('memory over the limit kills the whole group, and calls are told', async () => {
  await using started = await startTestRunner({ small: { ...server('legacy'), limits: { memory: '200M' } } })
  const session = await started.session('small')
  await session.call('fork')
  const other = reasonOf(session, 'hang')
  const { status, messages } = await session.send(toolCall(1, 'fill', { mb: 300 }))
  assert.equal(status, 502)
  assert.deepEqual(messages[0]!.error!.data, { reason: 'memory_exceeded', executed: 'unknown' })
  assert.match(messages[0]!.error!.message, /more than its limit of 200 MiB \(limits.memory\)/)
  assert.deepEqual(await other, { reason: 'memory_exceeded', executed: 'unknown' })
  await eventually(() => none(started.file))
})

test('too many processes kill the whole group', async () => {
  await using started = await startTestRunner({ small: { ...server('legacy'), limits: { processes: 5 } } })
  const session = await started.session('small')
  assert.deepEqual(await reasonOf(session, 'forkMany', { count: 8 }), {
    reason: 'processes_exceeded',
    executed: 'unknown',
  })
  await eventually(() => none(started.file))
})

for (const [what, flags, args] of [
  ['goes when its input is closed', [], {}],
  ['ignores the end of its input and SIGTERM', ['--stubborn'], {}],
  ['has a grandchild in a session of its own', [], { detached: true }],
] as const)
  test(`nothing is left of a server that ${what}`, async () => {
    const started = await startTestRunner({ small: server('legacy', ...flags) }, 100)
    const session = await started.session('small')
    await session.call('fork', args)
    assert.equal(markedProcesses(started.file).length, 2)
    const hanging = reasonOf(session, 'hang')
    await session.call('seen')
    await started[Symbol.asyncDispose]()
    assert.deepEqual(await hanging, { reason: 'stopped', executed: 'unknown' })
    assert.equal(none(started.file), true)
  })

test('a stop waits for no grace period once the servers have ended', async () => {
  const graceMs = 3_600_000
  await using started = await startTestRunner({ small: server('legacy') }, graceMs)
  await (await started.session('small')).call('pid')
  const closed = { yet: false }
  void started.runner.close().then(() => {
    closed.yet = true
  })
  await eventually(
    () => closed.yet,
    () => 'the stop',
  ).finally(() => started.move(graceMs))
})

test('an idle process ends, and one that a session streams from does not', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const streaming = await started.session('small')
  const idle = await started.session('small', { sampling: {} })
  const stream = await streaming.stream()
  await idle.call('pid')
  assert.equal(markedProcesses(started.file).length, 2)
  started.move(15 * 60_000 + 1)
  await eventually(() => markedProcesses(started.file).length === 1)
  assert.equal((await idle.send({ id: 1, method: 'ping' })).status, 404)
  assert.equal((await streaming.send({ id: 1, method: 'ping' })).status, 200)
  await stream.body!.cancel()
})

test('a process without a session ends after half a minute', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  await session.end()
  assert.equal(markedProcesses(started.file).length, 1)
  started.move(30_001)
  await eventually(() => none(started.file))
})

test('each user has a process with instance: per_user, and each origin its own', async () => {
  await using started = await startTestRunner({
    small: { ...server('legacy'), instance: 'per_user' },
    shared: server('legacy'),
  })
  const pidOf = async (entry: string, headers: Record<string, string>): Promise<unknown> =>
    (await started.session(entry, {}, headers)).call('pid')
  const one = await pidOf('small', { 'runner-instance': 'ann' })
  assert.notEqual(one, await pidOf('small', { 'runner-instance': 'bob' }))
  assert.equal(one, await pidOf('small', { 'runner-instance': 'ann' }))
  assert.notEqual(one, await pidOf('small', { 'runner-instance': 'ann', 'runner-origin': 'o1' }))
  const shared = await pidOf('shared', { 'runner-instance': 'ann' })
  assert.equal(shared, await pidOf('shared', { 'runner-instance': 'bob' }))
  const { status, messages } = await started.send('small', initialize())
  assert.deepEqual([status, messages[0]!.error!.data!.reason], [400, 'instance_required'])
})

test('at the bound of processes the one unused for longest makes room, and one in use does not', async () => {
  await using started = await startTestRunner({
    small: { ...server('legacy'), instance: 'per_user', limits: { instances: 2, sessions: 3 } },
  })
  const user = (name: string): Record<string, string> => ({ 'runner-instance': name })
  const ann = await started.session('small', {}, user('ann'))
  const bob = await started.session('small', {}, user('bob'))
  const hanging = reasonOf(ann, 'hang').catch(() => null)
  await ann.call('seen')
  const eve = await started.session('small', {}, user('eve'))
  assert.equal((await bob.send({ id: 1, method: 'ping' })).status, 404)
  const busy = reasonOf(eve, 'hang').catch(() => null)
  await eve.call('seen')
  const full = await started.send('small', initialize(), user('kim'))
  assert.deepEqual([full.status, full.messages[0]!.error!.data!.reason], [503, 'instances_full'])
  assert.equal(full.headers.get('retry-after'), '1')
  await started.session('small', {}, user('eve'))
  const many = await started.send('small', initialize(), user('eve'))
  assert.equal(many.messages[0]!.error!.data!.reason, 'sessions_full')
  await Promise.all([ann.end(), eve.end()])
  await Promise.all([hanging, busy])
})

test('processes that take their time to end count, so that their number stays bounded', async () => {
  await using started = await startTestRunner(
    { small: { ...server('legacy', '--stubborn'), instance: 'per_user', limits: { instances: 1 } } },
    60_000,
  )
  const reasons: unknown[] = []
  for (const name of ['ann', 'bob', 'eve']) {
    const { messages } = await started.send('small', initialize(), { 'runner-instance': name })
    reasons.push(messages[0]!.error?.data?.reason)
  }
  assert.deepEqual(reasons, [undefined, undefined, 'instances_full'])
  assert.equal(markedProcesses(started.file).length, 2)
  started.move(120_000)
  const closed = started.runner.close()
  await eventually(() => {
    started.move(60_000)
    return none(started.file)
  })
  await closed
})

/** Callers that connect and leave. */
const CYCLES = IS_LONG ? 1000 : 150

test('callers that connect and leave at any moment leave no child and no grandchild', async () => {
  const tiny = { ...TINY, instance: 'per_user', limits: { instances: 16 } }
  await using started = await startTestRunner({ tiny }, 100)
  const seen = { sessions: 0 }
  let next = 0
  await Promise.all(Array.from({ length: 8 }, () => cycles(started, () => next++, seen)))
  assert.ok(seen.sessions > 0, 'some were quick enough to open a session')
  await eventually(
    () => markedProcesses(started.file).length <= 32,
    () => 'no more than the processes of the entry, each with its grandchild',
  )
  await started.runner.close()
  assert.deepEqual(markedProcesses(started.file), [])
})

/** Connects as a new user each time, and leaves at another moment each time: before, in and after `initialize`. */
async function cycles(started: StartedRunner, take: () => number, seen: { sessions: number }): Promise<void> {
  for (let n = take(); n < CYCLES; n = take()) {
    const leaving = new AbortController()
    const headers = { 'runner-instance': `user-${n}` }
    const opened = started.open('tiny', initialize(), headers, leaving.signal).catch(() => null)
    const given = opened.then(async (response) => {
      const id = response?.headers.get('mcp-session-id') ?? null
      if (id === null) return
      seen.sessions++
      const body = { jsonrpc: '2.0', id: 2, method: 'nothing/answers' }
      const own = { ...headers, 'mcp-session-id': id }
      await started.open('tiny', body, own, leaving.signal).catch(() => null)
    })
    // Before the request is read, while the server starts, and after its answer
    if (n % 4 === 1) await new Promise((done) => setImmediate(done))
    if (n % 4 === 2) await new Promise((done) => setTimeout(done, 3))
    if (n % 4 === 3) await opened
    leaving.abort()
    await given
  }
}

test('a start leaves alone what other runners have started, also by a file of the same path in a container', async () => {
  using made = runnerFile({ listen: { address: '127.0.0.1:0', tokens: [] }, entries: {} })
  const mark = (first: string, runner: string): NodeJS.ProcessEnv => ({
    POSTERN_RUNNER_PROCESS: `${first}${runner}.a1b2`,
  })
  const start = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)!.split(' ')[19]!
  const left = [
    // Of another namespace, of a runner that is alive, and of one that is not
    mark('0123456789abcdef.', '1.1'),
    mark(markOfFile(made.file), `${process.pid}.${start}`),
    mark(markOfFile(made.file), `${process.pid}.1`),
  ].map((env) => spawn('/bin/sleep', ['1000'], { env, stdio: 'ignore' }))
  const ended = left.map((child) => once(child, 'exit'))
  await Promise.all(left.map((child) => once(child, 'spawn')))
  const socket = join(made.directory, 'runner.sock')
  writeFileSync(made.file, JSON.stringify({ listen: { socket }, entries: { tiny: TINY } }), { mode: 0o600 })
  const runner = await startRunner(readRunnerFile(made.file), { clock: createClock(), log: () => {} })
  assert.deepEqual(await ended[2], [null, 'SIGKILL'])
  assert.deepEqual(
    left.map(({ signalCode }) => signalCode),
    [null, null, 'SIGKILL'],
  )
  await runner.close()
  for (const child of left) child.kill('SIGKILL')
  await Promise.all(ended)
})

test('servers of a killed runner end with their input, and the next start with the file ends what is left', async () => {
  using made = runnerFile({})
  const socket = join(made.directory, 'runner.sock')
  const legacy = server('legacy')
  const stubborn = server('legacy', '--stubborn')
  const write = (entries: object) =>
    writeFileSync(made.file, JSON.stringify({ listen: { socket }, entries }), { mode: 0o600 })
  write({ legacy, stubborn })
  const main = join(import.meta.dirname, '../../postern.js')
  const args = ['--disable-warning=ExperimentalWarning', main, 'runner', '--file', made.file]
  const run = async () => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [ready] = (await once(child.stdout, 'data')) as [Buffer]
    assert.match(ready.toString(), /is ready/)
    return child
  }
  const first = await run()
  await Promise.all(['legacy', 'stubborn'].map((entry) => initializeAt(socket, entry)))
  const servers = markedProcesses(made.file)
  assert.equal(servers.length, 2)
  first.kill('SIGKILL')
  await once(first, 'exit')
  await eventually(() => markedProcesses(made.file).length === 1)
  // Its stop then waits for no grace period
  write({ legacy, stubborn: legacy })
  const second = await run()
  await eventually(() => markedProcesses(made.file).length === 0)
  assert.equal((await initializeAt(socket, 'stubborn')).status, 200)
  second.kill('SIGTERM')
  assert.deepEqual(await once(second, 'exit'), [0, null])
  assert.deepEqual(markedProcesses(made.file), [])
})

async function initializeAt(socketPath: string, entry: string): Promise<{ status: number }> {
  return new Promise((done, reject) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const made = request({ socketPath, path: `/entries/${entry}`, method: 'POST', headers }, (response) => {
      response.resume()
      response.once('end', () => done({ status: response.statusCode! }))
    })
    made.once('error', reject)
    made.end(JSON.stringify(initialize()))
  })
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
}
const discover = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: META } }
const DISCOVER_HEADERS = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' }

for (const name of ['legacy', 'modern', 'sdk-v2'] as const)
  test(`a ${name} server that is asked for its era is started once, for the requests that follow too`, async () => {
    using counted = runnerFile({})
    const starts = join(counted.directory, 'starts')
    const { program, args } = server(name) as unknown as { program: string; args: string[] }
    const entry = { program: '/bin/sh', args: ['-c', 'echo x >> "$0"; exec "$@"', starts, program, ...args] }
    await using started = await startTestRunner({ small: entry })
    const origin = { 'runner-origin': 'ori_1' }
    const { messages } = await started.send('small', discover, { ...origin, ...DISCOVER_HEADERS })
    const isModern = messages[0]?.result !== undefined
    assert.equal(isModern, name !== 'legacy')
    if (isModern) await started.send('small', discover, { ...origin, ...DISCOVER_HEADERS })
    else {
      const first = await started.session('small', {}, origin)
      await first.end()
      const second = await started.session('small', {}, origin)
      assert.deepEqual(await second.call('echo', { text: 'a\u2028b\u2029c' }), { text: 'a\u2028b\u2029c' })
    }
    assert.equal(readFileSync(starts, 'utf8'), 'x\n')
  })
