/** Official clients with servers of the official SDKs, through the runner. */
import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { STDIO_SERVERS } from '../mcp/real-servers.ts'
import { IS_LONG } from '../support/long.ts'
import { ATTENDED_PEERS, PEERS } from '../support/mcp-clients.ts'
import { server, startTestRunner, TOKEN } from '../support/runner.ts'

const HEADERS = { authorization: `Bearer ${TOKEN}` }
/** The era in which each client meets a server of both. */
const ERAS: Readonly<Record<string, string>> = {
  'SDK v1': 'legacy',
  'SDK v2, legacy era': 'legacy',
  'SDK v2, era found by probing': 'modern',
  'SDK v2, pinned to 2026-07-28': 'modern',
}

test('every client calls a server of both eras in its own era', async () => {
  await using started = await startTestRunner({ both: server('sdk-v2') })
  const peers = await Promise.all(
    Object.entries(PEERS).map(async ([name, connect]) => {
      const peer = await connect(started.url('both'), HEADERS)
      assert.deepEqual(
        (await peer.tools()).map((tool) => tool.name),
        ['echo', 'greet'],
        name,
      )
      return { name, peer }
    }),
  )
  for (const { name, peer } of peers) {
    const { content } = await peer.call('echo', { text: name })
    assert.equal(content[0]!.text, `${ERAS[name]} ${name}`)
    await peer.close()
  }
})

test('a person behind the client is asked in either era', async () => {
  await using started = await startTestRunner({ both: server('sdk-v2') })
  for (const [name, connect] of Object.entries(ATTENDED_PEERS)) {
    const peer = await connect(started.url('both'), HEADERS, ({ message }) => {
      assert.equal(message, 'What is your name?')
      return { action: 'accept', content: { name } }
    })
    assert.equal((await peer.call('greet', {})).content[0]!.text, `hello ${name}`)
    await peer.close()
  }
})

test('a client that probes for the era finds a legacy server', async () => {
  await using started = await startTestRunner({ old: server('legacy', '--exits-on-probe') })
  const peer = await PEERS['SDK v2, era found by probing']!(started.url('old'), HEADERS)
  assert.equal((await peer.call('echo', { a: 1 })).content[0]!.text, '{"a":1}')
  await peer.close()
})

const CALLS = {
  filesystem: { tool: 'list_allowed_directories', args: {}, expected: /postern-stdio-/ },
  memory: { tool: 'read_graph', args: {}, expected: /entities/ },
  everything: { tool: 'echo', args: { message: 'hello' }, expected: /hello/ },
} as const

for (const name of ['filesystem', 'memory', 'everything'] as const)
  test(`server-${name} answers an SDK v1 client, in a directory that the caller names`, {
    skip: name === 'filesystem' || IS_LONG ? false : 'it is part of the long form: npm run test:all',
  }, async (t) => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'postern-stdio-')))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    writeFileSync(join(directory, 'a.txt'), 'content')
    const { command, args, env } = STDIO_SERVERS[name]('{root}')
    const isNamed = args.includes('{root}')
    await using started = await startTestRunner({
      real: {
        program: command,
        args: isNamed ? args : [...args, '--unused={root}'],
        env: Object.fromEntries(
          Object.entries(env).map(([key, value]) => [key, value.replace('{root}', directory)]),
        ),
        parameters: { root: { pattern: '/.*' } },
      },
    })
    const peer = await PEERS['SDK v1']!(started.url('real'), {
      ...HEADERS,
      'runner-parameters': Buffer.from(JSON.stringify({ root: directory })).toString('base64url'),
    })
    const { content, isError } = await peer.call(CALLS[name].tool, CALLS[name].args)
    assert.ok(!isError, JSON.stringify(content))
    assert.match(content[0]!.text!, CALLS[name].expected)
    await peer.close()
  })
