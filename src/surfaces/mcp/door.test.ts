import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTENDED_PEERS, PEERS } from '../../../test/support/mcp-clients.ts'
import { type Shell, serveHandler } from '../../../test/support/mcp-shell.ts'
import { createSessionMemory } from '../../../test/support/session-memory.ts'
import { WIDGET_OPERATIONS } from '../../../test/support/widgets.ts'
import type { Principal, Role } from '../../access/principal.ts'
import { DEFAULT_SCOPE } from '../../access/scopes.ts'
import { createClock } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import type { Via } from '../../operations/engine/call.ts'
import type { Invoke, Operation } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import { createManagementDoor } from './door.ts'

interface Invoked {
  readonly operation: Operation
  readonly input: unknown
  readonly options: WriteOptions
  readonly principal: Principal
  readonly via: Via
}

describe('the Management MCP door', () => {
  const widget = { id: 'wid_1', slug: 'one', status: 'draft', revision: 3, at: '2026-01-01T00:00:00Z' }
  const faults: unknown[] = []
  const kept: string[] = []
  /** How often credentials still prove somebody. */
  let provingLeft = Number.POSITIVE_INFINITY
  let invoked: Invoked[] = []
  let reply: (call: Invoked) => Record<string, unknown> = () => widget
  let shell: Shell

  const invoke: Invoke = async (of, input, options, principal, via) => {
    const call = { operation: of, input, options, principal, via }
    invoked.push(call)
    if (of.effect !== 'read' && principal.grants[0]?.role === 'viewer')
      throw refuse('permission_denied', { detail: `${of.permission} is needed.` })
    const output = reply(call)
    return {
      status: 200,
      output,
      revision: 3,
      configRevision: 9,
      pending: false,
      diff: options.dryRun === true ? [{ op: 'add', path: '/x', value: 1 }] : null,
    }
  }

  before(async () => {
    const door = createManagementDoor({
      operations: WIDGET_OPERATIONS,
      invoke,
      authenticate: ({ authorization }) => {
        if (authorization === undefined) throw refuse('credentials_missing')
        const role = /^Bearer (viewer|modifier|admin)$/.exec(authorization)?.[1]
        if (role === undefined || provingLeft-- <= 0) throw refuse('credential_invalid')
        // The pattern admits these roles alone.
        return {
          id: `usr_${role}`,
          type: 'user',
          name: role,
          authMethod: 'access_token',
          grants: [{ role: role as Role }],
          expiresAt: null,
        }
      },
      allowed: (principal, { effect }) => effect === 'read' || principal.grants[0]?.role !== 'viewer',
      reveals: (principal) => principal.grants[0]?.role === 'admin',
      link: async (secret, member, { type }) => {
        kept.push(`${member} of ${type}: ${secret.reveal()}`)
        return kept.length > 1 ? null : 'https://gateway.example/once'
      },
      sealKey: new Uint8Array(32).fill(3),
      scope: DEFAULT_SCOPE,
      ...createSessionMemory(),
      origins: ['https://gateway.example'],
      allowsOrigin: (origin) => origin === 'https://gateway.example',
      version: '0.0.0',
      docs: {
        topics: () => [{ topic: 'mcp', title: 'Gateway MCP' }],
        read: (topic) => (topic === 'mcp' ? '# Gateway MCP' : null),
      },
      clock: createClock(),
      fault: (error) => faults.push(error),
    })
    shell = await serveHandler((request) => door.handle({ ...request, requestId: 'req_1' }))
  })
  beforeEach(() => {
    invoked = []
    reply = () => widget
    faults.length = 0
  })
  after(() => shell.close())

  const as = (role: string): Record<string, string> => ({ authorization: `Bearer ${role}` })

  async function rpc(
    method: string,
    params: Record<string, unknown>,
    role = 'modifier',
    path = '/management/mcp',
  ): Promise<{
    result: { tools: Listed[]; structuredContent: Record<string, unknown>; isError: boolean }
    error: { code: number }
  }> {
    const answer = await fetch(shell.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...as(role) },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    return (await answer.json()) as Awaited<ReturnType<typeof rpc>>
  }
  interface Listed {
    readonly name: string
    readonly description: string
    readonly inputSchema: {
      readonly properties: Record<string, { enum?: string[]; description?: string }>
      readonly required?: string[]
    }
    readonly annotations: Record<string, boolean>
  }
  async function call(
    name: string,
    args: Record<string, unknown>,
    role?: string,
  ): Promise<Record<string, unknown>> {
    const { result } = await rpc('tools/call', { name, arguments: args }, role)
    return { ...result.structuredContent, isError: result.isError }
  }

  for (const [name, connect] of Object.entries(PEERS))
    test(`${name} lists and calls tools of both views`, async () => {
      const grouped = await connect(`${shell.url}/management/mcp`, as('modifier'))
      assert.deepEqual(
        (await grouped.tools()).map((tool) => tool.name),
        ['manage_widgets', 'manage_parts'],
      )
      const got = await grouped.call('manage_widgets', { action: 'get', id: 'one' })
      assert.deepEqual(got.structuredContent, widget)
      assert.equal(invoked[0]!.via.surface, 'management_mcp')
      assert.equal(invoked[0]!.via.agent?.name, 'test-agent')
      assert.equal(invoked[0]!.via.agent?.version, '1.2.3')
      assert.deepEqual((await grouped.call('get_widget', { id: 'one' })).structuredContent, widget)
      await grouped.close()

      const full = await connect(`${shell.url}/api/v1/mcp?view=full`, as('viewer'))
      assert.deepEqual(
        (await full.tools()).map((tool) => tool.name),
        ['list_widgets', 'get_widget', 'list_parts', 'list_bolts'],
      )
      assert.deepEqual((await full.call('get_widget', { id: 'one' })).structuredContent, widget)
      reply = () => {
        throw refuse('not_found', { detail: 'No widget "two".' })
      }
      const refused = await full.call('get_widget', { id: 'two' })
      assert.equal(refused.isError, true)
      assert.equal(refused.structuredContent?.['code'], 'not_found')
      assert.equal(refused.structuredContent?.['status'], 404)
      await assert.rejects(full.call('no_such_tool', {}), /Unknown tool/)
      await full.close()
    })

  test('a call without or with a wrong credential is challenged with the metadata of this resource', async () => {
    for (const path of ['/management/mcp', '/api/v1/mcp']) {
      const answer = await fetch(shell.url + path, { method: 'GET' })
      assert.equal(answer.status, 401)
      assert.equal(
        answer.headers.get('www-authenticate'),
        `Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource${path}", scope="management:read management:write"`,
      )
      assert.equal(answer.headers.get('x-request-id'), 'req_1')
    }
    const wrong = await fetch(`${shell.url}/management/mcp`, { method: 'POST', headers: as('nobody') })
    assert.match(wrong.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  })

  test('action enums, fields and hints follow what the caller may do', async () => {
    const { tools } = (await rpc('tools/list', {}, 'viewer')).result
    const [widgets, parts] = tools
    assert.deepEqual(widgets!.inputSchema.properties['action']!.enum, ['describe', 'list', 'get'])
    assert.equal(widgets!.annotations['readOnlyHint'], true)
    assert.deepEqual(parts!.inputSchema.properties['action']!.enum, ['describe', 'list_parts', 'list_bolts'])

    const [all] = (await rpc('tools/list', {}, 'modifier')).result.tools
    assert.deepEqual(all!.inputSchema.properties['action']!.enum, [
      'describe',
      'list',
      'get',
      'create',
      'update',
      'delete',
      'wipe',
      'rotate',
    ])
    assert.equal(all!.annotations['readOnlyHint'], false)
    assert.equal(all!.annotations['destructiveHint'], true)
    assert.deepEqual(Object.keys(all!.inputSchema.properties), ['action', 'id', 'arguments'])
    assert.match(all!.description, /- rotate\(id\): The summary of rotate_widget/)
  })

  test('hints of single tools follow from the effect', async () => {
    const { tools } = (await rpc('tools/list', {}, 'modifier', '/management/mcp?view=full')).result
    const hints = Object.fromEntries(
      tools.map(({ name, annotations: a }) => [
        name,
        [a['readOnlyHint'], a['destructiveHint'], a['idempotentHint']],
      ]),
    )
    assert.deepEqual(hints['get_widget'], [true, false, true])
    assert.deepEqual(hints['create_widget'], [false, false, false])
    assert.deepEqual(hints['update_widget'], [false, false, true])
    assert.deepEqual(hints['delete_widget'], [false, true, true])
    assert.deepEqual(hints['rotate_widget'], [false, false, false])
    assert.deepEqual(hints['wipe_widget'], [false, true, false])
    assert.equal(hints['put_widget'], undefined)
  })

  test('an action is named by its verb or by its fine-grained name', async () => {
    for (const action of ['update', 'update_widget'])
      await call('manage_widgets', { action, id: 'one', name: 'x' })
    assert.deepEqual(
      invoked.map((item) => [item.operation.action, item.input]),
      [
        ['update', { id: 'one', name: 'x' }],
        ['update', { id: 'one', name: 'x' }],
      ],
    )
    const refused = await call('manage_parts', { action: 'list' })
    assert.equal(refused['code'], 'input_invalid')
    assert.deepEqual(refused['errors'], [
      { pointer: '/action', reason: 'must be one of list_parts, list_bolts' },
    ])
  })

  test('a member named action stays usable beside the action of the group', async () => {
    for (const given of [{ arguments: { action: 'DELETE' } }, { filter_action: 'DELETE' }])
      await call('manage_parts', { action: 'list_bolts', ...given })
    await call('list_bolts', { action: 'DELETE' })
    assert.deepEqual(
      invoked.map((item) => item.input),
      [{ action: 'DELETE' }, { action: 'DELETE' }, { action: 'DELETE' }],
    )
    assert.equal(
      (await call('manage_parts', { action: 'list_parts', filter_action: 'x' }))['code'],
      'input_invalid',
    )
  })

  test('arguments stand in arguments, beside the action, in changes, or in both, in tools/call too', async () => {
    const wanted = { id: 'one', name: 'x' }
    for (const [tool, given] of [
      ['manage_widgets', { action: 'update', id: 'one', name: 'x', reason: 'r' }],
      ['manage_widgets', { action: 'update', id: 'one', arguments: { name: 'x', reason: 'r' } }],
      ['manage_widgets', { action: 'update', arguments: { id: 'one', name: 'x', reason: 'r' } }],
      ['manage_widgets', { action: 'update', id: 'one', reason: 'r', arguments: '{"name":"x"}' }],
      ['manage_widgets', { action: 'update', id: 'one', reason: 'r', changes: { name: 'x' } }],
      ['manage_widgets', { action: 'update', id: 'one', arguments: { changes: { name: 'x' }, reason: 'r' } }],
      ['manage_widgets', { arguments: { action: 'update', id: 'one', name: 'x', reason: 'r' } }],
      ['manage_widgets', { action: 'update', arguments: { action: 'update', ...wanted, reason: 'r' } }],
      ['update_widget', { id: 'one', changes: { name: 'x' }, reason: 'r' }],
      ['update_widget', { arguments: { id: 'one', name: 'x', reason: 'r' } }],
      ['update_widget', { id: 'one', name: 'x', reason: 'r', arguments: null }],
    ] as const) {
      const answer = await call(tool, given)
      assert.equal(answer['isError'], false, JSON.stringify([given, answer]))
      const { operation, input, options } = invoked.at(-1)!
      assert.deepEqual(
        [operation.tool, input, options],
        ['update_widget', wanted, { reason: 'r' }],
        JSON.stringify(given),
      )
    }
  })

  test('an argument with two values is refused where the second one stands', async () => {
    for (const [given, pointer] of [
      [{ action: 'get', id: 'one', arguments: { id: 'two' } }, '/arguments/id'],
      [{ action: 'update', id: 'one', name: 'x', changes: { name: 'y' } }, '/changes/name'],
      [{ action: 'get', arguments: { action: 'delete', id: 'one' } }, '/arguments/action'],
    ] as const) {
      const refused = await call('manage_widgets', given)
      assert.equal(refused['code'], 'input_invalid')
      assert.equal((refused['errors'] as { pointer: string }[])[0]!.pointer, pointer)
    }
    assert.equal(invoked.length, 0)
  })

  test('describe answers the schema of an action and a call that the action accepts, and runs nothing', async () => {
    const described = await call('manage_widgets', { action: 'describe', id: 'create' }, 'viewer')
    const { properties, required } = described['schema'] as { properties: object; required: string[] }
    assert.deepEqual(Object.keys(properties).slice(0, 3), ['name', 'data', 'kind'])
    assert.ok(Object.hasOwn(properties, 'dry_run'))
    assert.deepEqual(required, ['name'])
    assert.equal(described['permission'], 'widgets:write')
    assert.deepEqual(described['example'], { action: 'create', arguments: { name: 'Example' } })
    for (const named of [{ arguments: { action: 'create' } }, { id: 'create_widget' }]) {
      const same = await call('manage_widgets', { action: 'describe', ...named })
      assert.deepEqual(same['schema'], described['schema'])
    }
    assert.equal(invoked.length, 0)
    assert.equal(
      (await call('manage_widgets', described['example'] as Record<string, unknown>))['isError'],
      false,
    )
    assert.deepEqual(invoked.at(-1)!.input, { name: 'Example' })

    const all = await call('manage_widgets', { action: 'describe' }, 'viewer')
    assert.deepEqual(
      (all['actions'] as { action: string }[]).map(({ action }) => action),
      ['list', 'get'],
    )
    const unknown = await call('manage_widgets', { action: 'describe', id: 'explode' })
    assert.match(String(unknown['detail']), /^\/id: must be one of list, get, create/)
    const { json } = await plain({ tool: 'manage_widgets', action: 'describe', id: 'create' })
    const { isError: _, ...answered } = described
    assert.deepEqual([json['action'], json['result']], ['describe', answered])
  })

  test('an argument error points to the argument as it was sent and holds schema and example of the action', async () => {
    for (const [tool, given, pointers] of [
      ['manage_widgets', { action: 'create', arguments: { kind: 'a', nmae: 'x' } }, ['/arguments/nmae']],
      ['manage_widgets', { action: 'create', kind: 'a', nmae: 'x' }, ['/nmae']],
      [
        'manage_widgets',
        { action: 'create', name: 'x', arguments: { dry_run: 'yes' } },
        ['/arguments/dry_run'],
      ],
      ['create_widget', { nmae: 'x' }, ['/nmae']],
    ] as const) {
      const refused = await call(tool, given)
      assert.deepEqual([refused['isError'], refused['code']], [true, 'input_invalid'])
      assert.deepEqual(
        (refused['errors'] as { pointer: string }[]).map(({ pointer }) => pointer),
        pointers,
      )
      assert.ok(String(refused['detail']).startsWith(pointers[0]))
      const { schema, example } =
        tool === 'create_widget'
          ? {
              schema: (await call('manage_widgets', { action: 'describe', id: 'create' }))['schema'],
              example: { name: 'Example' },
            }
          : await call('manage_widgets', { action: 'describe', id: 'create' })
      assert.deepEqual([refused['schema'], refused['example']], [schema, example])
    }
    // What the operation itself finds is placed as well
    reply = () => {
      throw refuse('input_invalid', {
        detail: '/name: too short.',
        errors: [{ pointer: '/name', reason: 'too short' }],
      })
    }
    const refused = await call('manage_widgets', { action: 'create', arguments: { name: '' } })
    assert.deepEqual(refused['errors'], [{ pointer: '/arguments/name', reason: 'too short' }])
    assert.equal(refused['detail'], '/arguments/name: too short.')
    assert.equal((await plain({ tool: 'create_widget', name: '' })).json['schema'] !== undefined, true)
  })

  test('options of a write are told from its input', async () => {
    const given = {
      id: 'one',
      dry_run: true,
      expected_revision: 3,
      idempotency_key: 'k',
      reason: 'why',
      confirm: 'one',
      mode: 'draft',
    }
    const answer = await call('delete_widget', given)
    assert.deepEqual(invoked[0]!.input, { id: 'one' })
    assert.deepEqual(invoked[0]!.options, {
      dryRun: true,
      expectedRevision: 3,
      idempotencyKey: 'k',
      reason: 'why',
      confirm: 'one',
      mode: 'draft',
    })
    assert.equal(answer['dry_run'], true)
    assert.deepEqual(answer['diff'], [{ op: 'add', path: '/x', value: 1 }])
    assert.deepEqual(answer['result'], widget)
  })

  test('names and options of the wrong form are refused before anything runs', async () => {
    for (const wrong of [
      { id: 'one', dryrun: true },
      { id: 'one', dry_run: 'yes' },
      { id: 'one', mode: 'x' },
    ]) {
      const answer = await call('delete_widget', wrong)
      assert.equal(answer['isError'], true)
      assert.equal(answer['code'], 'input_invalid')
    }
    assert.equal((await call('get_widget', { id: 'one', dry_run: true }))['code'], 'input_invalid')
    assert.equal(invoked.length, 0)
  })

  test('what a caller may not do is refused by the operation, listed or not', async () => {
    for (const args of [{ name: 'x' }, { nonsense: 1 }, { name: 'x', dry_run: 'maybe' }]) {
      const refused = await call('create_widget', args, 'viewer')
      assert.equal(refused['code'], 'permission_denied')
      assert.equal(refused['isError'], true)
    }
    assert.equal(invoked.length, 3)
  })

  test('a secret that is shown once reaches only those who may show it to a model', async () => {
    reply = () => ({ id: 'wid_1', token: 'pst_pk_secret' })
    const withheld = await call('rotate_widget', { id: 'one' }, 'modifier')
    assert.equal(withheld['token'], undefined)
    assert.equal(withheld['token_link'], 'https://gateway.example/once')
    assert.match(String(withheld['token_withheld']), /Give the link to the person/)
    assert.deepEqual(kept, ['token of widget: pst_pk_secret'])
    const full = await call('rotate_widget', { id: 'one' }, 'modifier')
    assert.deepEqual([full['token'], full['token_link']], [undefined, undefined])
    assert.match(String(full['token_withheld']), /Rotate it over REST or the CLI/)
    const { json } = await plain({ tool: 'rotate_widget', id: 'one' })
    assert.doesNotMatch(JSON.stringify(json), /pst_pk_/)
    assert.equal((await call('rotate_widget', { id: 'one' }, 'admin'))['token'], 'pst_pk_secret')
  })

  interface Plain {
    readonly status: number
    readonly headers: Headers
    readonly json: Record<string, unknown>
  }
  async function plain(
    body: unknown,
    headers: Record<string, string> = {},
    role = 'modifier',
  ): Promise<Plain> {
    const answer = await fetch(`${shell.url}/management/mcp`, {
      method: 'POST',
      headers: { ...(role === '' ? {} : as(role)), ...headers },
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    })
    return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Plain['json'] }
  }

  test('a body with tool and without jsonrpc is a call, answered as plain JSON', async () => {
    const update = { tool: 'manage_widgets', action: 'update', id: 'one' }
    const answered = {
      ok: true,
      tool: 'manage_widgets',
      action: 'update',
      result: widget,
      revision: 3,
      request_id: 'req_1',
    }
    for (const body of [
      { ...update, name: 'x', reason: 'release' },
      { ...update, changes: { name: 'x' }, reason: 'release' },
      { tool: 'manage_widgets', arguments: { action: 'update', id: 'one', name: 'x', reason: 'release' } },
      { ...update, arguments: { changes: { name: 'x', reason: 'release' } } },
    ])
      for (const type of [null, 'application/json', 'application/x-www-form-urlencoded']) {
        const { status, json, headers } = await plain(body, type === null ? {} : { 'content-type': type })
        assert.deepEqual([status, json], [200, answered])
        assert.equal(headers.get('content-type'), 'application/json')
        const { operation, input, options, via } = invoked.at(-1)!
        assert.equal(operation.tool, 'update_widget')
        assert.deepEqual([input, options], [{ id: 'one', name: 'x' }, { reason: 'release' }])
        assert.equal(via.surface, 'management_mcp')
      }
    const single = await plain({ tool: 'get_widget', id: 'one' })
    assert.deepEqual([single.status, single.json['action']], [200, 'get'])
  })

  test('a plain call that is refused is a problem with its status', async () => {
    const get = { tool: 'get_widget', id: 'one' }
    for (const [status, code, body, role] of [
      [401, 'credentials_missing', get, ''],
      [401, 'credential_invalid', get, 'nobody'],
      [403, 'permission_denied', { tool: 'delete_widget', id: 'one' }, 'viewer'],
      [400, 'input_invalid', { ...get, tool: 'no_such' }, 'admin'],
      [400, 'input_invalid', { ...get, tool: 7 }, 'admin'],
      [400, 'input_invalid', { ...get, changes: { name: 'x' } }, 'admin'],
      [400, 'input_invalid', { ...get, arguments: { id: 'two' } }, 'admin'],
      [400, 'input_invalid', { ...get, access_token: 'admin' }, 'admin'],
      [400, 'payload_rejected', '{"tool":"get_widget","id":"one","tool":"delete_widget"}', 'admin'],
      [400, 'payload_rejected', '{"tool":"get_widget","arguments":{"id":"one","i\\u0064":"two"}}', 'admin'],
    ] as const) {
      const answer = await plain(body, {}, role)
      assert.deepEqual([answer.status, answer.json['code']], [status, code], JSON.stringify(body))
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.equal(answer.headers.has('www-authenticate'), status === 401)
    }
    reply = () => {
      throw refuse('revision_conflict')
    }
    assert.equal((await plain({ tool: 'update_widget', id: 'one', expected_revision: 1 })).status, 412)
    assert.equal(faults.length, 0)
  })

  test('a plain call of a web page, by a token that is no header, or of another form is refused', async () => {
    const get = { tool: 'get_widget', id: 'one' }
    assert.equal((await plain(get, { origin: 'https://evil.example' })).status, 403)
    assert.equal((await plain(get, { origin: 'null' })).status, 403)
    assert.equal((await plain(get, { origin: 'https://evil.example' }, '')).status, 403, 'before who that is')
    assert.equal((await plain(get, { 'content-type': 'text/plain' })).status, 415)
    assert.equal((await plain('tool=get_widget&id=one')).status, 415)
    await plain([get], { 'content-type': 'application/json' })
    const form = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'get_widget', arguments: { id: 'one' } },
    }
    assert.equal((await plain(form, { 'content-type': 'application/x-www-form-urlencoded' })).status, 415)
    const url = `${shell.url}/management/mcp?access_token=admin`
    assert.equal((await fetch(url, { method: 'POST', body: JSON.stringify(get) })).status, 401)
    assert.equal(invoked.length, 0)
  })

  for (const name of ['SDK v1', 'SDK v2, legacy era'])
    test(`${name} does nothing once its credential has ended while the person was asked`, async () => {
      const url = `${shell.url}/management/mcp?confirm=elicit`
      const peer = await ATTENDED_PEERS[name]!(url, as('modifier'), () => {
        // The response to the question still proves somebody, the call no more
        provingLeft = 1
        return { action: 'accept', content: { confirm: true } }
      })
      const refused = await peer.call('delete_widget', { id: 'one' })
      provingLeft = Number.POSITIVE_INFINITY
      assert.equal(refused.structuredContent?.['code'], 'credential_invalid')
      assert.deepEqual(
        invoked.map(({ options }) => options.dryRun),
        [true],
      )
      await peer.close()
    })

  test('a fault is an internal error that tells nothing', async () => {
    reply = () => {
      throw new Error('the database password is 123')
    }
    const answer = await call('get_widget', { id: 'one' })
    assert.equal(answer['code'], 'internal_error')
    assert.doesNotMatch(JSON.stringify(answer), /password/)
    assert.equal(faults.length, 1)
  })

  test('the list is the same bytes each time', async () => {
    const one = JSON.stringify(await rpc('tools/list', {}))
    assert.equal(JSON.stringify(await rpc('tools/list', {})), one)
  })
})
