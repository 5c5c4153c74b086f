/** Files of AI applications, each in the shape that its application writes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../../base/refusal.ts'
import { fromConfiguration } from '../configurations.ts'
import { readConfiguration } from '../text/configuration.ts'

const SECRET = 'abcd1234efgh5678'

async function converted(text: string) {
  const document = await readConfiguration(text)
  const options = { servers: 'origins', values: {}, hasRunner: true, urlFault: () => null } as const
  const made = fromConfiguration(document, options)
  assert.ok(!JSON.stringify(made).includes(SECRET), 'no secret in clear')
  const urls = made.documents.flatMap(({ kind, spec }) =>
    kind === 'origin' ? [spec['url'] ?? spec['entry']] : [],
  )
  return { urls, runner: made.runner ?? {}, notes: made.notes, documents: made.documents }
}

const URL = 'https://mcp.example.com/mcp'
const AUTH = { Authorization: `Bearer ${SECRET}` }

/** The text, and what its only server is: a URL, or the words of its program. */
const FILES: Readonly<Record<string, readonly [string, string | readonly string[]]>> = {
  'Claude Desktop': [
    '{"mcpServers":{"s":{"command":"npx","args":["-y","a@1.0.0"]}}}',
    ['/usr/bin/npx', '-y', 'a@1.0.0'],
  ],
  'VS Code, with comments and trailing commas': [
    `// servers of "the" team\n{"servers": /* // */ {"s": {"type": "http", "url": "${URL}", }, }, }`,
    URL,
  ],
  'settings of VS Code': [`{"mcp":{"servers":{"s":{"url":"${URL}"}}}}`, URL],
  'Zed, with a path': [
    '{"context_servers":{"s":{"command":{"path":"npx","args":["a@1.0.0"]},"settings":{}}}}',
    ['/usr/bin/npx', 'a@1.0.0'],
  ],
  'Zed, with a source': [
    '{"context_servers":{"s":{"source":"custom","command":"node","args":["/srv/a.js"]}}}',
    ['/usr/bin/node', '/srv/a.js'],
  ],
  'Zed, with a URL': [JSON.stringify({ context_servers: { s: { url: URL, headers: AUTH } } }), URL],
  'opencode, local': [
    '{"$schema":"x","mcp":{"s":{"type":"local","command":["/usr/bin/python3","/srv/a.py"],"environment":{"A":"b"}}}}',
    ['/usr/bin/python3', '/srv/a.py'],
  ],
  'opencode, remote': [
    JSON.stringify({
      mcp: { s: { type: 'remote', url: URL, headers: { Authorization: 'Bearer {env:KEY}' } } },
    }),
    URL,
  ],
  'Codex, with a URL': [
    `# Codex\nmodel = "x"\n\n[mcp_servers.s]\nurl = "${URL}"\nbearer_token_env_var = "KEY"\n`,
    URL,
  ],
  'Codex, with a program': [
    `[mcp_servers."s"] # first\ncommand = "npx"\nargs = ["a@1.0.0"]\nenv = { KEY = "${SECRET}" }\n`,
    ['/usr/bin/npx', 'a@1.0.0'],
  ],
  'Claude Code, with projects': [
    `{"numStartups":3,"projects":{"/a":{"mcpServers":{"s":{"url":"${URL}"}}},"/b":{}}}`,
    URL,
  ],
  'Continue, a list': [
    `name: x\nversion: 0.0.1\nmcpServers:\n  - name: s\n    type: streamable-http\n    url: ${URL}\n    requestOptions:\n      headers:\n        Authorization: Bearer ${SECRET}\n`,
    URL,
  ],
  'GitHub Copilot, local': [
    '{"mcpServers":{"s":{"type":"local","command":"node","args":["/srv/a.js"],"tools":["*"]}}}',
    ['/usr/bin/node', '/srv/a.js'],
  ],
  Goose: [
    `extensions:\n  s:\n    type: stdio\n    cmd: node\n    args: [/srv/a.js]\n    envs: {KEY: ${SECRET}}\n`,
    ['/usr/bin/node', '/srv/a.js'],
  ],
  'Goose, with a URL': [`extensions:\n  s:\n    type: streamable_http\n    uri: ${URL}\n`, URL],
  'servers by name': [`{"s":{"serverUrl":"${URL}"}}`, URL],
}
for (const [what, [text, expected]] of Object.entries(FILES))
  test(`a file of ${what} is read`, async () => {
    const { urls, runner, notes } = await converted(text)
    if (typeof expected === 'string') return assert.deepEqual(urls, [expected], notes.join('\n'))
    const { program, args } = runner['s'] as { program: string; args: string[] }
    assert.deepEqual([program, ...args], expected)
  })

test('variables of Codex and opencode become those from which Postern reads', async () => {
  for (const name of ['Codex, with a URL', 'opencode, remote']) {
    const { notes } = await converted(FILES[name]![0])
    assert.ok(
      notes.some((note) => note.includes('environment variable SECRET_KEY')),
      notes.join('\n'),
    )
  }
})

test('servers of several projects with one name are all kept, and renamed by a note', async () => {
  const [one, two] = ['https://a.example/mcp', 'https://b.example/mcp']
  const of = (url: string) => ({ mcpServers: { s: { url } } })
  const { urls, notes } = await converted(
    JSON.stringify({ ...of(URL), projects: { '/a': of(one), '/b': of(two) } }),
  )
  assert.deepEqual(urls, [URL, one, two])
  assert.ok(notes.some((note) => note.includes('one is called s 3')))
})

test('what a file has beside its servers is named, and values are not', async () => {
  const { notes } = await converted(`{"theme":"${SECRET}","mcpServers":{"s":{"url":"${URL}"}}}`)
  assert.ok(notes.some((note) => /other settings of its application, .*: theme$/.test(note)))
})

const SHELLS: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  'cmd /c': ['cmd', ['/c', 'npx', '-y', 'a@1.0.0']],
  'cmd.exe with a path': ['C:\\Windows\\System32\\cmd.exe', ['/C', 'npx']],
  'bash -lc': ['/bin/bash', ['-lc', 'npx a']],
  'sh -c': ['sh', ['-c', 'npx a']],
  powershell: ['powershell.exe', ['-Command', 'npx a']],
}
for (const [what, [command, args]] of Object.entries(SHELLS))
  test(`${what} is named and does not become a program`, async () => {
    const { urls, runner, notes } = await converted(JSON.stringify({ mcpServers: { s: { command, args } } }))
    assert.deepEqual([urls, runner], [[], {}])
    assert.match(notes.join('\n'), /server s is left out: \w+ is a shell/)
  })

test('a script that a shell reads from a file is a program', async () => {
  const { runner } = await converted('{"mcpServers":{"s":{"command":"/bin/bash","args":["/srv/start.sh"]}}}')
  assert.deepEqual((runner['s'] as { args: unknown }).args, ['/srv/start.sh'])
})

test('a header that an application fills in for each person is left out by name', async () => {
  const headers = { 'X-User': '{{LIBRECHAT_USER_ID}}' }
  const { notes } = await converted(JSON.stringify({ mcpServers: { s: { url: URL, headers } } }))
  assert.ok(notes.some((note) => note.startsWith('header X-User of server s is left out')))
})

const REFUSED: Readonly<Record<string, readonly [string, RegExp]>> = {
  'another file': ['{"scripts":{"a":"b"}}', /Codex, Continue/],
  'broken TOML': [`[mcp_servers.s]\nkey = "${SECRET}" oops\n`, /not TOML: line 2/],
  'a large TOML': [`a = "${'x'.repeat(600_000)}"`, /TOML larger than/],
  'a TOML that repeats a table': ['[a]\nb = 1\n[a]\nb = 2\n', /not TOML: line/],
  'a comment that does not end': ['{"mcpServers": /* {}}', /not JSON/],
}
for (const [what, [text, expected]] of Object.entries(REFUSED))
  test(`${what} is refused by its format and place, without its text`, async () => {
    await assert.rejects(converted(text), (error) => {
      assert.ok(error instanceof Refusal && error.code === 'document_invalid', String(error))
      const told = JSON.stringify([error.message, error.facts])
      assert.match(told, expected)
      assert.ok(!told.includes(SECRET))
      return true
    })
  })
