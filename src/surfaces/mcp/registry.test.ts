import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { principalOf, secured, UNSERVED } from '../../../test/control.ts'
import { golden } from '../../../test/golden/golden.ts'
import { type AnswerForm, ATTENDED_PEERS, PEERS, type Peer } from '../../../test/support/mcp-clients.ts'
import { type Shell, serveHandler } from '../../../test/support/mcp-shell.ts'
import { createSessionMemory } from '../../../test/support/session-memory.ts'
import { openTestStore } from '../../../test/support/test-database.ts'
import { checkTools } from '../../../test/support/tool-schemas.ts'
import type { Principal, Role } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { createAccessTokens } from '../../access/tokens.ts'
import { createClock } from '../../base/clock.ts'
import { createRequestIds } from '../../base/ids.ts'
import { ROLES } from '../../model/access/access.ts'
import type { WholeRecord } from '../../model/record.ts'
import { createInvoke } from '../../operations/engine/invoke.ts'
import { mayCall } from '../../operations/engine/permission.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { openVault } from '../../vault/open.ts'
import { nameOf } from '../route.ts'
import { createManagementDoor } from './door.ts'
import { publishTools } from './list.ts'
import { PROMPT_TEXTS } from './prompt-texts.ts'
import { inputOf, toTools } from './tools.ts'

const tools = toTools(OPERATIONS)
const NOWHERE = {
  collection: null,
  proxy: null,
  virtual_mcp: null,
  origin: null,
  client: null,
  profile: null,
  user: null,
}

for (const view of ['grouped', 'full'] as const)
  test(`the ${view} tools of the Management MCP are those of the golden file`, () => {
    const list = publishTools(tools[view], () => true)
    checkTools(list)
    golden(`mcp-management-${view}.json`, `${JSON.stringify(list, null, 2)}\n`)
  })

test('every tool says what it does and answers, and every write takes what makes it safe, or refuses it', () => {
  for (const tool of [...tools.full, ...tools.grouped]) {
    const { title, annotations, outputSchema } = publishTools([tool], () => true)[0]!
    assert.ok(title !== '' && outputSchema !== undefined, tool.name)
    for (const hint of ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const)
      assert.equal(typeof annotations[hint], 'boolean', `${tool.name}: ${hint}`)
    const isRead = tool.operations.every(({ effect }) => effect === 'read')
    assert.equal(annotations.readOnlyHint, isRead, tool.name)
    assert.equal(annotations.destructiveHint && isRead, false, tool.name)
    for (const operation of tool.operations)
      for (const option of ['dry_run', 'expected_revision', 'idempotency_key', 'reason', 'confirm'] as const)
        assert.ok(
          operation.effect === 'read' ||
            Object.hasOwn(inputOf(operation).properties, option) !== operation.without?.includes(option),
          `${nameOf(operation)}: ${option}`,
        )
  }
})

test('both views together name every operation that is on MCP once', () => {
  const shown = OPERATIONS.filter((operation) => operation.tool !== null).map(nameOf)
  for (const view of [tools.full, tools.grouped])
    assert.deepEqual(view.flatMap(({ operations }) => operations.map(nameOf)).toSorted(), shown.toSorted())
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
    store = await openTestStore(join(directory, 'config.db'))
    const vault = await openVault(store, join(directory, 'key'))
    await secured(directory, store, vault)
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
        records: {
          ...UNSERVED.records,
          // The operation reads nothing else of it
          get: async (id) => (id === 'req_one' ? ({ ...NOWHERE, id } as WholeRecord) : undefined),
        },
        publisher: { publish: async () => ({ acknowledged: Promise.resolve({ pending: false }) }) },
      }),
      authenticate: ({ authorization }) => tokens.verify(authorization?.replace(/^bearer +/i, '') ?? null),
      allowed: mayCall,
      reveals: (principal: Principal) => permits(principal, 'profiles:reveal'),
      link: async () => null,
      sealKey: new Uint8Array(32).fill(5),
      scope: null,
      ...createSessionMemory(),
      origins: ['http://localhost:8080'],
      allowsOrigin: () => false,
      version: '0.0.0',
      docs: {
        topics: () => [{ topic: 'mcp', title: 'Gateway MCP' }],
        read: (topic) => (topic === 'mcp' ? '# Gateway MCP' : null),
      },
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
      const peer = await connect(role, undefined, '?view=full')
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

  for (const [index, client] of Object.keys(PEERS).entries())
    test(`${client} reads prompts and resources`, async () => {
      const admin = await connect('admin', client)
      const slug = `shop-${index}`
      const made = await admin.call('create_policy', { name: 'Shop', slug, limits: [] })
      const id = String(made.structuredContent?.['id'])
      const role = `reader-${index}`
      await admin.call('create_role', { name: 'Reader', slug: role, permissions: ['audit:read'] })
      assert.equal(JSON.parse(await admin.read(`config://roles/${role}`)).slug, role)
      assert.deepEqual(
        await admin.prompts(),
        PROMPT_TEXTS.map(({ name }) => name),
      )
      const text = await admin.prompt('onboard_partner', { partner: 'Acme', limit: '1000 a minute' })
      assert.match(text, /^Onboard the partner Acme, limited to 1000 a minute\./)
      assert.match(text, /manage_clients with action create/)
      await assert.rejects(admin.prompt('onboard_partner', {}), /partner is missing/)
      await assert.rejects(admin.prompt('no_such', {}), /Unknown prompt/)

      const uri = `config://policies/${id}`
      const listed = await admin.resources()
      assert.deepEqual(listed.find((one) => one.uri === uri)?.name, slug)
      assert.ok(listed.some((one) => one.uri === 'docs://mcp'))
      assert.equal(new Set(listed.map((one) => one.uri)).size, listed.length)
      for (const one of [uri, `config://policies/${slug}`])
        assert.equal(JSON.parse(await admin.read(one)).slug, slug)
      assert.equal(await admin.read('docs://mcp'), '# Gateway MCP')
      const { types } = JSON.parse(await admin.read('config://schema')) as { types: Record<string, unknown> }
      assert.deepEqual((types['policies'] as { required: string[] }).required, ['name'])
      const [entry] = (await admin.call('list_audit_logs', { resource: id })).structuredContent!['items'] as {
        id: string
      }[]
      assert.equal(JSON.parse(await admin.read(`audit://entries/${entry!.id}`)).operation, 'policies.create')
      assert.equal(JSON.parse(await admin.read('records://req_one')).id, 'req_one')
      assert.deepEqual(await admin.templates(), [
        'config://{type}/{id}',
        'audit://entries/{id}',
        'records://{id}',
        'docs://{topic}',
      ])
      for (const absent of [
        'config://policies/none',
        'config://nothing/x',
        'config://policies/%E0',
        'audit://entries/aud_none',
        'records://req_none',
        'docs://../package',
        'file:///etc/passwd',
      ])
        await assert.rejects(admin.read(absent), /Resource not found/, absent)
      await admin.close()

      const viewer = await connect('viewer', client, '?view=full')
      assert.deepEqual(await viewer.prompts(), ['investigate_errors', 'compliance_report'])
      assert.match(await viewer.prompt('investigate_errors', {}), /\(query_request_logs\)/)
      assert.doesNotMatch(await viewer.prompt('compliance_report', {}), /list_grants/)
      await assert.rejects(viewer.read(`config://roles/${role}`), /Resource not found/)
      assert.ok((await viewer.resources()).every((one) => !one.uri.startsWith('config://roles/')))
      await viewer.close()
    })

  for (const [index, [name, connectAttended]] of Object.entries(ATTENDED_PEERS).entries())
    describe(`a person behind the agent (${name})`, () => {
      const said: string[] = []
      const url = (query: string): string => `${shell.url}/management/mcp${query}`
      const attended = (answer: AnswerForm, query = '?confirm=elicit'): Promise<Peer> =>
        connectAttended(url(query), { authorization: `Bearer ${bearer.get('modifier')}` }, (form) => {
          said.push(form.message)
          return answer(form)
        })
      const make = async (slug: string): Promise<void> => {
        const peer = await connect('modifier')
        await peer.call('create_policy', { name: 'Gone', slug, limits: [] })
        await peer.call('create_client', { name: 'Gone', slug, policy: slug })
        await peer.close()
      }
      beforeEach(() => {
        said.length = 0
      })

      test('is asked before something is destroyed, whatever the agent confirms', async () => {
        await make('gone')
        const careless = await attended(() => ({ action: 'accept', content: { confirm: 'something' } }))
        for (const args of [{ id: 'gone' }, { id: 'gone', confirm: 'gone' }])
          assert.equal(
            (await careless.call('delete_client', args)).structuredContent?.['code'],
            'confirmation_required',
          )
        await careless.close()
        const nodding = await attended(() => ({ action: 'accept', content: { confirm: true } }))
        const nodded = await nodding.call('delete_client', { id: 'gone', confirm: 'gone' })
        assert.equal(nodded.structuredContent?.['code'], 'confirmation_required')
        await nodding.close()
        const wary = await attended(() => ({ action: 'decline' }))
        const declined = await wary.call('manage_clients', { action: 'delete', id: 'gone', confirm: 'gone' })
        assert.match(String(declined.structuredContent?.['detail']), /the person declined it/)
        await wary.close()
        const sure = await attended(() => ({ action: 'accept', content: { confirm: 'gone' } }))
        assert.equal((await sure.call('delete_client', { id: 'gone' })).structuredContent?.['deleted'], true)
        await sure.close()
        assert.equal(said.length, 5)
        assert.match(
          said[0]!,
          /^An agent asks to delete the client "gone"\. This cannot be undone\. Also deleted: profiles\/gone:/,
        )
        assert.match(said[0]!, /Detached: policies\/gone\./)
      })

      test('agrees to what has no slug to be written', async () => {
        const slug = `revoked-${index}`
        await make(slug)
        const revoke = async (confirm: boolean): Promise<Record<string, unknown> | undefined> => {
          const peer = await attended(() => ({ action: 'accept', content: { confirm } }))
          const answer = await peer.call('revoke_profile_credentials', { id: `${slug}:default` })
          await peer.close()
          return answer.structuredContent
        }
        assert.equal((await revoke(false))?.['code'], 'confirmation_required')
        assert.equal((await revoke(true))?.['revoked'], 1)
        assert.equal(said.length, 2)
      })

      test('is asked neither what changes nothing nor where nobody wished it', async () => {
        await make('kept')
        const peer = await attended(() => ({ action: 'cancel' }))
        const preview = await peer.call('delete_client', { id: 'kept', dry_run: true, confirm: 'kept' })
        assert.equal(preview.structuredContent?.['dry_run'], true)
        assert.notEqual((await peer.call('update_client', { id: 'kept', name: 'Other' })).isError, true)
        assert.equal(
          (await peer.call('delete_client', { id: 'none' })).structuredContent?.['code'],
          'not_found',
        )
        await peer.close()
        const plain = await attended(() => ({ action: 'cancel' }), '')
        assert.equal(
          (await plain.call('delete_client', { id: 'kept' })).structuredContent?.['code'],
          'confirmation_required',
        )
        await plain.close()
        const unattended = await connect('modifier', 'SDK v1', '?confirm=elicit')
        const alone = await unattended.call('delete_client', { id: 'kept' })
        assert.equal(alone.structuredContent?.['code'], 'confirmation_required')
        assert.notEqual(
          (await unattended.call('delete_client', { id: 'kept', confirm: 'kept' })).isError,
          true,
        )
        await unattended.close()
        assert.deepEqual(said, [])
      })
    })

  test('arguments of prompts are completed by slugs, if they name a resource', async () => {
    const admin = await connect('admin')
    await admin.call('create_client', { name: 'Zebra', slug: 'zebra' })
    assert.deepEqual(await admin.complete('investigate_errors', 'client', 'zeb'), ['zebra'])
    assert.deepEqual(await admin.complete('investigate_errors', 'since', ''), [])
    await admin.close()
  })

  test('resources come in pages that hold all of them once', async () => {
    const admin = await connect('admin')
    for (let n = 0; n < 60; n++)
      await admin.call('create_policy', { name: 'Many', slug: `many-${n}`, limits: [] })
    const uris = (await admin.resources())
      .filter(({ name }) => name.startsWith('many-'))
      .map(({ uri }) => uri)
    assert.deepEqual([uris.length, new Set(uris).size], [60, 60])
    await admin.close()
  })

  test('prompts name operations that are there, and tools that do them', () => {
    assert.deepEqual(
      PROMPT_TEXTS.map(({ name }) => name),
      [
        'onboard_partner',
        'publish_api',
        'investigate_errors',
        'rotate_credentials',
        'promote_environment',
        'compliance_report',
      ],
    )
    const names = new Set(OPERATIONS.filter(({ tool }) => tool !== null).map(nameOf))
    for (const { name, needs, steps } of PROMPT_TEXTS)
      for (const operation of [...needs, ...steps.flatMap(({ operations }) => operations)])
        assert.ok(names.has(operation), `${name}: ${operation}`)
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

  test('what a model reads to a person has no character that is not shown', async () => {
    const admin = await connect('admin')
    const fields = {
      name: 'Hid\u200bden',
      slug: 'unseen',
      tags: ['unseen'],
      description: 'pay \u202eEUR 001\u202c\u00a0\u{e0041}',
    }
    const texts: string[] = []
    for (const [tool, args] of [
      ['create_policy', { ...fields, dry_run: true }],
      ['create_policy', fields],
      ['get_policy', { id: 'unseen' }],
      ['list_policies', { tag: ['unseen'] }],
      ['get_policy', { id: 'no\u202ene' }],
    ] as const) {
      const answer = await admin.call(tool, args)
      const [text] = answer.content.map((one) => one.text ?? '')
      assert.deepEqual(JSON.parse(text!), answer.structuredContent, 'the same value for programs')
      texts.push(text!)
    }
    const plain = await fetch(`${shell.url}/management/mcp`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer.get('admin')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool: 'get_policy', id: 'unseen' }),
    })
    texts.unshift(await plain.text())
    for (const text of texts) assert.match(text, /^[\x20-\x7e]*$/)
    for (const text of texts.slice(0, 5))
      assert.ok(text.includes('pay \\u202eEUR 001\\u202c\\u00a0\\udb40\\udc41'), text)
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
    const group = await modifier.call('manage_credentials', { action: 'rotate', profile: 'acme:one' })
    assert.doesNotMatch(JSON.stringify(group), /pst_pk_/)
    assert.notEqual(group.isError, true, group.content[0]?.text)
    await modifier.close()
    const admin = await connect('admin')
    const shown = await admin.call('create_profile', { ...profile, name: 'Two', slug: 'two' })
    assert.match(String(shown.structuredContent?.['token']), /^pst_pk_/)
    await admin.close()
  })
})
