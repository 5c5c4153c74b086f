import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ORDERS, refused, startControl } from '../../../test/control.ts'
import type { OriginFragment } from '../../snapshot/fragments.ts'

const control = await startControl()
after(() => control.close())
const { run } = control

const URL = 'https://mcp.example.com/mcp?tenant=a'

function fragmentsOf(kind: string): readonly unknown[] {
  return control.published.flatMap(({ put }) =>
    put.flatMap(({ fragment }) => (fragment.kind === kind ? [fragment] : [])),
  )
}

test('an origin is either a server at a URL or a collection, and says which member is wrong', async () => {
  await run('collections.create', ORDERS)
  await run('credentials.create', { name: 'Bank', auth: { type: 'bearer', token: 'planted' } })
  const faults: readonly [object, string][] = [
    [{}, '/url'],
    [{ url: 'https://u:p@mcp.example.com/' }, '/url'],
    [{ url: 'https://mcp.example.com/#a' }, '/url'],
    [{ url: 'ftp://mcp.example.com/' }, '/url'],
    [{ url: 'http://169.254.169.254/mcp' }, '/url'],
    [{ url: URL, collection: 'orders' }, '/collection'],
    [{ kind: 'collection' }, '/collection'],
    [{ kind: 'collection', collection: 'orders', url: URL }, '/url'],
    [{ kind: 'collection', collection: 'orders', credential: 'bank' }, '/credential'],
    [{ url: URL, entry: 'files' }, '/entry'],
    [{ url: URL, parameters: { project: 'alpha' } }, '/parameters'],
    [{ kind: 'stdio' }, '/entry'],
    [{ kind: 'stdio', entry: '../files' }, '/entry'],
    [{ kind: 'stdio', entry: 'files', url: URL }, '/url'],
    [{ kind: 'stdio', entry: 'files', collection: 'orders' }, '/collection'],
    [{ kind: 'stdio', entry: 'files', credential: 'bank' }, '/credential'],
    [{ kind: 'stdio', entry: 'files', tls: { verify: false } }, '/tls'],
  ]
  for (const [spec, pointer] of faults) {
    const { facts } = await refused(run('origins.create', { name: 'Tools', ...spec }), 'input_invalid')
    assert.deepEqual(
      facts.errors?.map((one) => one.pointer),
      [pointer],
      JSON.stringify(spec),
    )
  }
  assert.deepEqual((await run('origins.list', {})).output['items'], [])
})

test('an origin is compiled to a route with its URL and credential, and to an empty catalogue', async () => {
  const { output } = await run('origins.create', {
    name: 'Tools',
    url: URL,
    credential: 'bank',
    probe: false,
  })
  const [origin] = fragmentsOf('origin') as OriginFragment[]
  assert.deepEqual(
    [origin?.id, origin?.served_by, origin?.target, origin?.verdict, origin?.upstream?.host],
    [output['id'], 'http', '/mcp?tenant=a', null, 'mcp.example.com'],
  )
  assert.equal(typeof origin?.credential, 'string')
  const nothing = { tools: [], prompts: [], resources: [], resource_templates: [] }
  assert.deepEqual(
    (fragmentsOf('catalogue') as { json: string }[]).map(({ json }) => JSON.parse(json)),
    [nothing],
  )
  await run('origins.create', { name: 'Own', kind: 'collection', collection: 'orders' })
  const own = fragmentsOf('origin').at(-1) as OriginFragment
  assert.deepEqual([own.served_by, own.upstream, own.collection], ['collection', null, await idOf()])
})

test('what an origin uses, and an origin that is used, cannot be deleted', async () => {
  await run('virtual_mcps.create', { name: 'Desk', members: [{ origin: 'tools' }] })
  const deletions = [
    ['collections', 'orders', 'origins/own'],
    ['credentials', 'bank', 'origins/tools'],
    ['origins', 'tools', 'virtual_mcps/desk'],
  ] as const
  for (const [type, slug, by] of deletions) {
    const { facts } = await refused(run(`${type}.delete`, { id: slug }, { confirm: slug }), 'in_use')
    assert.deepEqual(facts.members?.['used_by'], [by])
  }
  await run('virtual_mcps.delete', { id: 'desk' }, { confirm: 'desk' })
  await run('origins.delete', { id: 'tools' }, { confirm: 'tools' })
  await run('origins.delete', { id: 'own' }, { confirm: 'own' })
  await run('collections.delete', { id: 'orders' }, { confirm: 'orders' })
})

async function idOf(): Promise<unknown> {
  return (await run('collections.get', { id: 'orders' })).output['id']
}
