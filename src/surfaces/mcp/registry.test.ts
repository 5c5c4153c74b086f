import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { principalOf, UNSERVED } from '../../../test/control.ts'
import { golden } from '../../../test/golden/golden.ts'
import { PEERS, type Peer } from '../../../test/support/mcp-clients.ts'
import { type Shell, serveHandler } from '../../../test/support/mcp-shell.ts'
import { createTombstones } from '../../../test/support/tombstones.ts'
import { checkTools } from '../../../test/support/tool-schemas.ts'
import type { Principal, Role } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { createAccessTokens } from '../../access/tokens.ts'
import { createClock } from '../../base/clock.ts'
import { createRequestIds } from '../../base/ids.ts'
import { ROLES } from '../../model/access.ts'
import { createInvoke, mayCall } from '../../operations/invoke.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { openConfigStore } from '../../store/sqlite/config.ts'
import { openVault } from '../../vault/open.ts'
import { createManagementDoor } from './door.ts'
import { publishTool, toTools } from './tools.ts'

const tools = toTools(OPERATIONS)

for (const view of ['grouped', 'full'] as const)
  test(`the ${view} tools of the Management MCP are those of the golden file`, () => {
    const list = tools[view].map((tool) => publishTool(tool, tool.operations))
    checkTools(list)
    golden(`mcp-management-${view}.json`, `${JSON.stringify(list, null, 2)}\n`)
  })

test('both views together name every operation that is on MCP once', () => {
  const shown = OPERATIONS.filter((operation) => operation.tool !== null)
  assert.equal(tools.full.length, shown.length)
  assert.equal(
    tools.grouped.reduce((sum, tool) => sum + tool.operations.length, 0),
    shown.length,
  )
  assert.ok(tools.full.every((tool) => tool.listed.length === 0))
})

describe('Management MCP over the registry and a store', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-mcp-'))
  const clock = createClock()
  const faults: unknown[] = []
  const bearer = new Map<Role, string>()
  let store: ConfigStore
  let shell: Shell

  before(async () => {
    store = openConfigStore(join(directory, 'config.db'))
    const vault = await openVault(store, join(directory, 'key'))
    const tokens = createAccessTokens(store, clock)
    for (const role of ROLES) {
      const request = {
        grants: [role],
        ttlMs: 60_000,
        name: role,
        method: 'access_token',
        surface: 'cli',
      } as const
      bearer.set(role, (await tokens.issue(request)).token)
    }
    const requestId = createRequestIds(clock)
    const door = createManagementDoor({
      operations: OPERATIONS,
      invoke: createInvoke({
        store,
        vault,
        clock,
        ...UNSERVED,
        publisher: { publish: async () => ({ pending: false }) },
      }),
      authenticate: ({ authorization }) => tokens.verify(authorization?.replace(/^bearer +/i, '') ?? null),
      allowed: mayCall,
      reveals: (principal: Principal) => permits(principal, 'profiles:reveal'),
      link: async () => null,
      sealKey: new Uint8Array(32).fill(5),
      tombstones: createTombstones(),
      origin: 'http://localhost:8080',
      version: '0.0.0',
      clock,
      fault: (error) => faults.push(error),
    })
    shell = await serveHandler((request) => door.handle({ ...request, requestId: requestId() }))
  })
  after(async () => {
    await shell.close()
    await store.close()
    rmSync(directory, { recursive: true })
    assert.deepEqual(faults, [])
  })

  function connect(role: Role, client = 'SDK v2, pinned to 2026-07-28', view = ''): Promise<Peer> {
    return PEERS[client]!(`${shell.url}/management/mcp${view}`, {
      authorization: `Bearer ${bearer.get(role)}`,
    })
  }

  for (const [index, client] of Object.keys(PEERS).entries())
    test(`${client} publishes an API from nothing`, async () => {
      const slug = `orders-${index}`
      const peer = await connect('modifier', client)
      await peer.tools()
      const done = async (tool: string, args: Record<string, unknown>): Promise<Record<string, unknown>> => {
        const answer = await peer.call(tool, args)
        assert.notEqual(answer.isError, true, answer.content[0]?.text)
        return answer.structuredContent!
      }
      const upstream = { targets: [{ url: 'http://127.0.0.1:9000' }] }
      const fresh = { name: 'Orders', slug, base_path: `/${slug}`, upstream }
      const preview = await done('manage_collections', { action: 'create', ...fresh, dry_run: true })
      assert.equal(preview['dry_run'], true)
      assert.ok(Array.isArray(preview['diff']))
      const made = await done('manage_collections', { action: 'create', ...fresh, reason: 'a test' })
      assert.equal(made['slug'], slug)
      const proxy = {
        collection: slug,
        name: 'Get order',
        methods: ['GET'],
        path: '/v1/{id}',
        status: 'published',
      }
      await done('create_proxy', proxy)
      const published = await done('manage_collections', { action: 'publish', id: slug })
      assert.equal(published['status'], 'published')
      const again = await peer.call('manage_collections', { action: 'create', ...fresh })
      assert.equal(again.isError, true)
      assert.equal(again.structuredContent?.['code'], 'already_exists')
      const stale = await peer.call('update_collection', { id: slug, name: 'X', expected_revision: 1 })
      assert.equal(stale.structuredContent?.['code'], 'revision_conflict')
      const unsure = await peer.call('delete_collection', { id: slug })
      assert.equal(unsure.structuredContent?.['code'], 'confirmation_required')
      await peer.close()

      const auditor = await connect('auditor')
      const trail = await auditor.call('query_audit', {
        action: 'list',
        resource_type: 'collection',
        filter_action: 'CREATE',
      })
      const entries = trail.structuredContent!['items'] as Record<string, Record<string, unknown>>[]
      const entry = entries.find(
        (item) => item['resource']!['slug'] === slug && String(item['outcome']) === 'ok',
      )!
      assert.equal(entry['surface'] as unknown, 'management_mcp')
      assert.equal(entry['reason'] as unknown, 'a test')
      assert.equal(entry['agent']!['name'], 'test-agent')
      assert.equal(entry['agent']!['version'], '1.2.3')
      await auditor.close()
    })

  test('each role lists what it may do and nothing else', async () => {
    for (const role of ROLES) {
      const peer = await connect(role, 'SDK v1', '?view=full')
      const listed = (await peer.tools()).map((tool) => tool.name)
      const expected = OPERATIONS.filter(
        (operation) =>
          operation.tool !== null &&
          (permits({ grants: [{ role }] }, operation.permission) || operation.own?.(principalOf(role))),
      )
      assert.deepEqual(
        listed,
        expected.map((operation) => operation.tool),
        role,
      )
      await peer.close()
    }
  })

  test('a viewer that writes is refused and that is in the audit', async () => {
    const viewer = await connect('viewer')
    const refused = await viewer.call('create_policy', { name: 'Gold', limits: [] })
    assert.equal(refused.structuredContent?.['code'], 'permission_denied')
    await viewer.close()
    const admin = await connect('admin')
    const trail = await admin.call('list_audit_logs', { outcome: 'denied' })
    const [entry] = trail.structuredContent!['items'] as Record<string, unknown>[]
    assert.equal(entry?.['operation'], 'policies.create')
    await admin.close()
  })

  test('a token reaches a model only through an admin', async () => {
    const modifier = await connect('modifier')
    const made = await modifier.call('create_client', { name: 'Acme', slug: 'acme' })
    assert.doesNotMatch(JSON.stringify(made), /pst_pk_/)
    assert.match(JSON.stringify(made.structuredContent?.['profiles']), /token_withheld/)
    const signing = { client: 'acme', name: 'Jobs', auth: { type: 'jwt' } }
    assert.doesNotMatch(JSON.stringify(await modifier.call('create_profile', signing)), /pst_js_/)
    const profile = { client: 'acme', auth: { type: 'token' } }
    const hidden = await modifier.call('create_profile', { ...profile, name: 'One', slug: 'one' })
    assert.notEqual(hidden.isError, true, hidden.content[0]?.text)
    assert.doesNotMatch(JSON.stringify(hidden), /pst_pk_/)
    assert.match(String(hidden.structuredContent?.['token_withheld']), /Rotate/)
    const group = await modifier.call('manage_credentials', { action: 'rotate', id: 'acme:one' })
    assert.doesNotMatch(JSON.stringify(group), /pst_pk_/)
    assert.notEqual(group.isError, true, group.content[0]?.text)
    await modifier.close()
    const admin = await connect('admin')
    const shown = await admin.call('create_profile', { ...profile, name: 'Two', slug: 'two' })
    assert.match(String(shown.structuredContent?.['token']), /^pst_pk_/)
    await admin.close()
  })
})
