import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APPLICATION_NAMES, type Snippet, snippetsFor, variableOf } from './snippets.ts'

const DESK = { name: 'desk', url: 'https://gateway.example/mcp/desk' }
const people = snippetsFor(DESK, APPLICATION_NAMES, false)
const agents = snippetsFor(DESK, APPLICATION_NAMES, true)

const of = (snippets: readonly Snippet[], application: string, form: string): string =>
  snippets.find((one) => one.application === application && one.form === form)?.text ??
  assert.fail(application)

test('every application has a snippet for people, and it holds the URL', () => {
  for (const application of APPLICATION_NAMES) {
    const texts = people
      .filter((one) => one.application === application)
      .map(({ form, text }) => {
        const encoded = form === 'link' ? new URL(text).searchParams.get('config') : null
        return encoded === null ? text : Buffer.from(encoded, 'base64').toString()
      })
    assert.ok(
      texts.some((text) => text.includes(DESK.url)),
      application,
    )
  }
})

test('commands and files for people are written as the applications document them', () => {
  assert.equal(of(people, 'claude_code', 'command'), `claude mcp add --transport http desk ${DESK.url}`)
  assert.equal(
    of(people, 'vscode', 'command'),
    `code --add-mcp '{"name":"desk","type":"http","url":"${DESK.url}"}'`,
  )
  assert.equal(of(people, 'codex', 'command'), `codex mcp add desk --url ${DESK.url}`)
  assert.deepEqual(JSON.parse(of(people, 'vscode', 'file')), {
    servers: { desk: { type: 'http', url: DESK.url } },
  })
  assert.deepEqual(JSON.parse(of(people, 'gemini', 'file')), { mcpServers: { desk: { httpUrl: DESK.url } } })
  const link = new URL(of(people, 'cursor', 'link'))
  assert.equal(link.searchParams.get('name'), 'desk')
  const config = Buffer.from(link.searchParams.get('config')!, 'base64').toString()
  assert.deepEqual(JSON.parse(config), { url: DESK.url })
})

test('snippets for agents name the variable of the token, in the notation of each application', () => {
  assert.equal(variableOf('acme-desk'), 'MCP_TOKEN_ACME_DESK')
  const file = (application: string) => JSON.parse(of(agents, application, 'file'))
  assert.deepEqual(
    [
      file('claude_code').mcpServers.desk.headers,
      file('cursor').mcpServers.desk.headers,
      file('vscode').servers.desk.headers,
      file('gemini').mcpServers.desk.headers,
    ].map(({ Authorization }) => Authorization),
    [
      `Bearer \${MCP_TOKEN_DESK}`,
      `Bearer \${env:MCP_TOKEN_DESK}`,
      `Bearer \${input:desk-token}`,
      'Bearer $MCP_TOKEN_DESK',
    ],
  )
  assert.match(of(agents, 'codex', 'command'), / --bearer-token-env-var MCP_TOKEN_DESK$/)
  assert.match(
    of(agents, 'claude_code', 'command'),
    / --header 'Authorization: Bearer \$\{MCP_TOKEN_DESK\}'$/,
  )
  assert.ok(!agents.some(({ application }) => application === 'chatgpt'))
})
