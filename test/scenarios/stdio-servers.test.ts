/** Servers over stdio of other projects behind a whole Postern, called by official clients. */
import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { STDIO_SERVERS } from '../mcp/real-servers.ts'
import { IS_LONG } from '../support/long.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { startStdioDesk } from '../support/stdio-desk.ts'

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'postern-stdio-')))
after(() => rmSync(directory, { recursive: true, force: true }))
writeFileSync(join(directory, 'a.txt'), 'what the file holds')

const entryOf = (name: keyof typeof STDIO_SERVERS, where = directory): object => {
  const { command, args, env } = STDIO_SERVERS[name](where)
  return { program: command, args, env }
}

const CALLS = {
  filesystem: ['read_text_file', { path: join(directory, 'a.txt') }, /what the file holds/],
  memory: ['search_nodes', { query: 'postern' }, /a gateway/],
  everything: ['echo', { message: 'hello' }, /hello/],
} as const

const SKIPPED = IS_LONG ? false : 'it starts programs of other projects: npm run test:all'

test('server-everything, -filesystem and -memory answer clients of both eras through two gateway threads, and the compact view of all costs under 6 % of the plain list', {
  skip: SKIPPED,
}, async () => {
  const files = {
    ...entryOf('filesystem', '{root}'),
    parameters: { root: { pattern: '/.*' } },
  }
  await using desk = await startStdioDesk(
    { everything: entryOf('everything'), filesystem: files, memory: entryOf('memory') },
    { workers: 2, origins: { filesystem: { parameters: { root: directory } } } },
  )
  const first = await PEERS['SDK v1']!(desk.url, desk.headers.acme)
  const entities = [{ name: 'postern', entityType: 'program', observations: ['a gateway'] }]
  const stored = await first.call('create_entities', { entities })
  assert.ok(stored.isError !== true, JSON.stringify(stored))
  for (const [peerName, connect] of Object.entries(PEERS))
    for (const client of ['acme', 'other'] as const) {
      const peer = await connect(desk.url, desk.headers[client])
      const tools = (await peer.tools()).map(({ name }) => name)
      for (const [name, [tool, args, expected]] of Object.entries(CALLS)) {
        assert.ok(tools.includes(tool), `${tool} of ${name}`)
        const { content, isError } = await peer.call(tool, args)
        assert.ok(isError !== true, `${peerName}: ${JSON.stringify(content)}`)
        assert.match(content[0]!.text!, expected, `${peerName}, ${name}`)
      }
      assert.match(await peer.prompt('simple-prompt', {}), /./)
      await peer.close()
    }
  await first.close()
  // 36 tools. The compact view has always three, so its share falls with each further server
  const cost = await desk.server.manage('POST', '/virtual_mcps/desk/token_cost', {})
  const [tools] = cost.json.lists as { type: string; items: number; tokens: number; compact_tokens: number }[]
  assert.deepEqual([tools!.type, tools!.items], ['tools', 36])
  assert.ok(tools!.compact_tokens < 0.06 * tools!.tokens, cost.text)
})
