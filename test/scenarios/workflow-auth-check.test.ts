/** Checks of the caller in workflows: who passes, and references that hold over renames and deletions. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, test } from 'node:test'
import { answer, type Definition, flow, startFlows } from './flows.ts'

const { server, endpoint, get, share, addProxy, executeCall, stop } = await startFlows()
after(stop)

const checked = (config: object): Definition =>
  flow(
    [
      { id: 'check', type: 'auth_check_node', config },
      answer('ok', { body: { passed: '{{ $.check.passed }}' } }),
      answer('no', { body: '{{ $.check.failed }}' }, { status: 403 }),
    ],
    ['http check', 'check true ok', 'check false no'],
  )
async function made(path: string, body: object) {
  const reply = await server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

test('a check passes the clients and profiles that it names, over REST and for agents, also after they are renamed', async () => {
  await made('/clients', { name: 'Other', slug: 'other', collections: ['orders'], profiles: [] })
  const { token } = await made('/profiles', {
    client: 'other',
    name: 'Ci',
    slug: 'ci',
    auth: { type: 'token' },
  })
  const path = await endpoint(checked({ clients: ['acme'], profiles: ['acme:sandbox', 'other:ci'] }))
  assert.deepEqual((await get(path)).json, { passed: true })
  const refused = await get(path, token)
  assert.deepEqual([refused.status, refused.json], [403, ['clients']])
  const agent = await executeCall({ endpoint: `GET ${path}` })
  assert.deepEqual([agent.status, agent.body], [200, { passed: true }])

  const renamed = await server.manage('PATCH', '/clients/acme', { slug: 'acme-corp' })
  assert.equal(renamed.status, 200, renamed.text)
  // Another client takes the name: it is not the one that was meant
  await made('/clients', { name: 'Late', slug: 'acme', collections: ['orders'], profiles: [] })
  const late = await made('/profiles', {
    client: 'acme',
    name: 'L',
    slug: 'sandbox',
    auth: { type: 'token' },
  })
  assert.deepEqual((await get(path)).json, { passed: true })
  assert.deepEqual((await get(path, late.token)).json, ['clients', 'profiles'])

  const proxy = (await server.manage('GET', `/proxies?path=${path.slice('/orders'.length)}`)).json.items[0]
  assert.deepEqual(proxy.workflow.nodes[1].config.clients, ['acme-corp'])
  assert.deepEqual(proxy.workflow.nodes[1].config.profiles, ['acme-corp:sandbox', 'other:ci'])
  const shown = (await server.manage('GET', `/proxies/${proxy.id}/workflow`)).json
  assert.deepEqual(shown.definition.nodes[1].config.clients, ['acme-corp'])
  assert.deepEqual(shown.findings, [])

  for (const gone of ['clients/acme-corp', 'profiles/acme-corp:sandbox', 'profiles/other:ci']) {
    const slug = gone.split(/[/:]/).at(-1)
    const deleted = await server.manage('DELETE', `/${gone}?confirm=${slug}`)
    assert.equal(deleted.json.code, 'in_use', deleted.text)
  }
})

test('claims and scopes of a proved token decide', async () => {
  const { signing_secret } = await made('/profiles', {
    client: 'other',
    name: 'Signed',
    slug: 'signed',
    auth: {
      type: 'jwt',
      issuer: 'https://issuer.test',
      audience: 'orders',
      claims: ['department', 'scope', 'teams'],
    },
  })
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const tokenWith = (claims: object): string => {
    const now = Math.floor(Date.now() / 1000)
    const own = { iss: 'https://issuer.test', aud: 'orders', sub: 'ann', iat: now, exp: now + 600, ...claims }
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(own)}`
    return `${signed}.${createHmac('sha256', signing_secret).update(signed).digest('base64url')}`
  }
  const path = await endpoint(
    checked({
      claims: [
        { claim: 'department', equals: ['sales', 'ops'] },
        { claim: 'teams', equals: 'blue' },
        { claim: 'sub', equals: 'ann' },
      ],
      scopes: ['orders:read'],
    }),
  )
  const good = { department: 'ops', teams: ['red', 'blue'], scope: 'openid orders:read' }
  assert.deepEqual((await get(path, tokenWith(good))).json, { passed: true })
  for (const [other, failed] of [
    [{ department: 'opsx' }, ['claims/department']],
    [{ teams: ['red,blue'] }, ['claims/teams']],
    [{ sub: 'bob', scope: 'orders:readall' }, ['claims/sub', 'scopes']],
  ] as const)
    assert.deepEqual((await get(path, tokenWith({ ...good, ...other }))).json, failed)
  assert.equal((await get(path)).status, 403, 'a token without claims')
})

test('a reference that leads nowhere is refused when it is saved, also in a draft and in a shared workflow', async () => {
  const nobody = checked({ clients: ['nobody'] })
  const shared = await share('Nobody', nobody)
  assert.deepEqual(
    [shared.status, shared.json.code, shared.json.errors[0].pointer],
    [400, 'input_invalid', '/definition/nodes/1/config/clients/0'],
  )
  const draft = await addProxy('Draft', {
    methods: ['GET'],
    path: '/v1/draft',
    workflow: nobody,
    status: 'draft',
  })
  assert.equal(draft.json.errors[0].pointer, '/workflow/nodes/1/config/clients/0', draft.text)
  const validated = await server.manage('POST', '/workflows/validate', { definition: nobody })
  assert.deepEqual(
    validated.json.findings.map(({ code, pointer }: { code: string; pointer: string }) => [code, pointer]),
    [['unknown_reference', '/nodes/1/config/clients/0']],
  )
  const odd = await share('Odd', checked({ clients: [7, { a: 1 }, null], profiles: 'other:ci' }))
  assert.equal(odd.status, 201, odd.text)
  assert.ok(odd.json.warnings.length > 0)
})
