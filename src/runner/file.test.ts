import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../test/support/any-json.ts'
import { fuzzCases } from '../../test/support/long.ts'
import { runnerFile, sha256 } from '../../test/support/runner.ts'
import { readRunnerFile } from './file.ts'

const ENTRY = { program: '/bin/cat' }
const SOCKET = { socket: '/tmp/postern-runner.sock' }
const TOKENS = [{ token_sha256: sha256('x'), entries: ['cat'] }]

const valid = (more: object = {}): Record<string, unknown> => ({
  listen: SOCKET,
  entries: { cat: { ...ENTRY, ...more } },
})

/** The message with which a file is refused. */
function messageOf(spec: Record<string, unknown>): string {
  using made = runnerFile(spec)
  try {
    readRunnerFile(made.file)
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}

test('a file has defaults for all but program and place', () => {
  using made = runnerFile(valid())
  const { listen, entries } = readRunnerFile(made.file)
  assert.deepEqual(listen, { kind: 'socket', path: SOCKET.socket })
  assert.deepEqual(entries.get('cat'), {
    program: '/bin/cat',
    args: [],
    parameters: {},
    env: {},
    cwd: '/',
    instance: 'shared',
    era: 'auto',
    limits: {
      memory: 512 * 1024 ** 2,
      processes: 32,
      instances: 8,
      sessions: 256,
      calls: 256,
      message: 4 * 1024 ** 2,
      start_timeout: 30_000,
      call_timeout: 300_000,
      idle_timeout: 900_000,
    },
  })
})

test('a file that others may read or write is refused with the fix', () => {
  using made = runnerFile(valid())
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o666]) {
    chmodSync(made.file, mode)
    assert.throws(() => readRunnerFile(made.file), {
      name: 'CannotStart',
      message: /is open to other users \(mode 06\d\d\)\. Run: chmod 600 /,
    })
  }
  chmodSync(made.file, 0o400)
  readRunnerFile(made.file)
  assert.throws(() => readRunnerFile(made.directory), /is no file/)
  assert.throws(() => readRunnerFile(join(made.directory, 'none')), /cannot be read/)
})

test('a fault names the member and what it should be', () => {
  const remote = { address: '10.0.0.1:7800', tokens: TOKENS }
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{}, /\/listen: .*\n {2}\/entries: /],
    [{ ...valid(), more: 1 }, /\/more: unknown member/],
    [{ ...valid(), entries: {} }, /\/entries: must have at least one entry/],
    [{ ...valid(), entries: { 'A b': ENTRY } }, /\/entries\/A b: the name must be lower-case/],
    [valid({ program: 'cat' }), /\/entries\/cat\/program: must be an absolute path/],
    [valid({ program: '/bin/none' }), /\/entries\/cat\/program: does not exist/],
    [valid({ program: '/etc' }), /\/entries\/cat\/program: is no file/],
    [valid({ program: '/etc/passwd' }), /\/entries\/cat\/program: cannot be executed/],
    [valid({ argument: [] }), /\/entries\/cat\/argument: unknown member/],
    [
      valid({ args: ['{root}'] }),
      /\/entries\/cat\/args\/0: uses \{root\}, which parameters does not declare/,
    ],
    [valid({ parameters: { root: {} } }), /\/entries\/cat\/parameters\/root: is not used/],
    [
      valid({ args: ['{root}'], parameters: { root: { pattern: '(a)\\1' } } }),
      /\/entries\/cat\/parameters\/root\/pattern: must be a regular expression without/,
    ],
    [
      valid({ args: ['{root}'], parameters: { root: { pattern: 'a', enum: ['a'] } } }),
      /\/entries\/cat\/parameters\/root: has either pattern or enum/,
    ],
    [valid({ env: { '1A': 'x' } }), /\/entries\/cat\/env\/1A: the name must be/],
    [valid({ env: { POSTERN_RUNNER_PROCESS: 'x' } }), /is set by the runner/],
    [
      valid({ env: { A: { file: '/none' } } }),
      /\/entries\/cat\/env\/A\/file: The secret file \/none cannot be read/,
    ],
    [valid({ cwd: '/none' }), /\/entries\/cat\/cwd: is no directory/],
    [valid({ limits: { memory: '512' } }), /\/entries\/cat\/limits\/memory: a size such as/],
    [valid({ limits: { memory: '65G' } }), /\/entries\/cat\/limits\/memory: at most 64G/],
    [valid({ limits: { call_timeout: '2d' } }), /\/entries\/cat\/limits\/call_timeout: at most 24h/],
    [valid({ limits: { processes: 0 } }), /\/entries\/cat\/limits\/processes: must be at least 1/],
    [
      { ...valid(), listen: { socket: `/tmp/${'x'.repeat(100)}` } },
      /\/listen\/socket: must have at most 103 bytes/,
    ],
    [{ ...valid(), listen: { ...SOCKET, address: '127.0.0.1:1' } }, /\/listen/],
    [{ ...valid(), listen: { address: '127.0.0.1:1' } }, /\/listen\/tokens: required/],
    [{ ...valid(), listen: remote }, /\/listen\/address: is not a loopback address/],
    [
      { ...valid(), listen: { ...remote, address: 'localhost' } },
      /\/listen\/address: must be an IP address and a port/,
    ],
    [
      { ...valid(), listen: { ...remote, allow_remote: true, tokens: [{ ...TOKENS[0], entries: ['dog'] }] } },
      /\/listen\/tokens\/0\/entries\/0: no entry has this name/,
    ],
    [
      { ...valid(), listen: { address: '127.0.0.1:1', tokens: [...TOKENS, ...TOKENS] } },
      /\/listen\/tokens: has the same token twice/,
    ],
    [
      { ...valid(), listen: { address: '127.0.0.1:1', tokens: [{ entries: ['cat'] }] } },
      /\/listen\/tokens\/0: needs either token_sha256 or token_file/,
    ],
  ]
  for (const [spec, expected] of cases) assert.match(messageOf(spec), expected, JSON.stringify(spec))
  assert.match(
    messageOf({
      ...valid(),
      entries: { npx: { program: process.execPath, args: ['/x/npx-cli.js', '-y', 'server'] } },
    }),
    /\/entries\/npx\/args: npx would run any published version of "server"; write an exact version/,
  )
})

test('a program that any user may replace is refused', () => {
  using made = runnerFile({})
  const program = join(made.directory, 'server')
  writeFileSync(program, '#!/bin/sh\n')
  chmodSync(program, 0o777)
  assert.match(messageOf(valid({ program })), /can be replaced by any user; run: chmod o-w/)
})

test('a token comes from a file that not everybody reads, and is long', () => {
  using made = runnerFile({})
  const file = join(made.directory, 'token')
  const spec = {
    ...valid(),
    listen: { address: '127.0.0.1:0', tokens: [{ token_file: file, entries: ['cat'] }] },
  }
  writeFileSync(file, 'short\n', { mode: 0o600 })
  assert.match(messageOf(spec), /\/listen\/tokens\/0\/token_file: must hold a token of at least 32/)
  const token = 'a'.repeat(32)
  writeFileSync(file, `${token}\n`)
  using whole = runnerFile(spec)
  const { listen } = readRunnerFile(whole.file)
  assert.equal(listen.kind === 'address' && listen.tokens[0]!.digest.toString('hex'), sha256(token))
  chmodSync(file, 0o644)
  assert.match(messageOf(spec), /is open to other users \(mode 0644\)\. Run: chmod o= /)
})

test('values of the file are in no message', () => {
  const message = messageOf(
    valid({ env: { KEY: 7, OTHER: { text: 'PLANTED' } }, limits: { memory: 'PLANTED' } }),
  )
  assert.match(message, /\/entries\/cat\/env\/KEY/)
  assert.doesNotMatch(message, /PLANTED/)
})

test('whatever a file says, it is read, or refused with a sentence', () => {
  const value = anyJson({ maxDepth: 2 }) as fc.Arbitrary<unknown>
  const or = (...more: unknown[]): fc.Arbitrary<unknown> => fc.oneof(fc.constantFrom(...more), value)
  const entry = fc.record(
    {
      program: or('/bin/cat', '/bin/sh', '/usr/bin/env'),
      args: fc.oneof(fc.array(or('{a}', '-c', 'npx', 'x@1.2.3')), value),
      parameters: fc.oneof(
        fc.dictionary(fc.constantFrom('a', 'B', '__proto__'), or({}, { pattern: '(' })),
        value,
      ),
      env: fc.oneof(fc.dictionary(fc.string(), or('x', { file: '/none' })), value),
      limits: fc.oneof(
        fc.record({ memory: or('1M', '0M', 'M'), call_timeout: or('1s', '0s', '99999999d') }),
        value,
      ),
      cwd: or('/', 'x'),
    },
    { requiredKeys: ['program'] },
  )
  const listen = fc.oneof(
    or(SOCKET),
    fc.record({
      address: or('127.0.0.1:1', '[::1]:1', '[:1', ':1', '127.0.0.1:99999'),
      tokens: fc.oneof(fc.array(or(TOKENS[0], { token_file: '/none', entries: ['x'] })), value),
    }),
  )
  const file = fc.oneof(
    value,
    fc.record({
      listen,
      entries: fc.oneof(fc.dictionary(fc.oneof(fc.constantFrom('a', 'b'), fc.string()), entry), value),
    }),
  )
  using made = runnerFile({})
  fc.assert(
    fc.property(file, (spec) => {
      writeFileSync(made.file, JSON.stringify(spec))
      try {
        readRunnerFile(made.file)
      } catch (error) {
        assert.equal((error as Error).name, 'CannotStart', (error as Error).stack)
      }
    }),
    { numRuns: fuzzCases(300, 20_000) },
  )
})

test('the file of the docs is valid', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/runner.md'), 'utf8')
  const [, example] = /```yaml\n([\s\S]*?)```/.exec(page)!
  using made = runnerFile({})
  writeFileSync(made.file, example!.replace('/usr/local/bin/mcp-server-filesystem', '/bin/cat'))
  assert.deepEqual([...readRunnerFile(made.file).entries.keys()], ['files'])
})
