import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { EMPTY_FOUND, refused, startControl } from '../../../test/control.ts'
import { type Catalogue, type CatalogueState, EMPTY_CATALOGUE } from '../../model/mcp/capability-drift.ts'
import type { OriginProbed } from '../../model/mcp/origin.ts'
import type { CatalogueFragment, OriginFragment } from '../../snapshot/fragments.ts'

const found = (catalogue: Partial<Catalogue>, changed: Partial<CatalogueState> = {}): OriginProbed => ({
  steps: [{ step: 'discover', ok: true, latency_ms: 1, status: 200, error: null }],
  found: { ...EMPTY_FOUND, ...changed, catalogue: { ...EMPTY_CATALOGUE, ...catalogue } },
})
const FAILED: OriginProbed = {
  steps: [
    { step: 'discover', ok: true, latency_ms: 1, status: 404, error: null },
    { step: 'initialize', ok: false, latency_ms: 2, status: 502, error: 'no JSON' },
  ],
  found: null,
}
const ECHO = { name: 'echo', inputSchema: { type: 'object' } }

let answer: OriginProbed | Error = found({ tools: [ECHO] })
const probes: OriginFragment[] = []
const control = await startControl({
  deps: {
    origins: {
      probe: async (origin) => {
        probes.push(origin)
        if (answer instanceof Error) throw answer
        return answer
      },
    },
  },
})
after(() => control.close())
const { run } = control
beforeEach(() => {
  answer = found({ tools: [ECHO] })
  probes.length = 0
})

const URL = 'https://mcp.example.com/mcp'
await run('credentials.create', { name: 'Bank', auth: { type: 'bearer', token: 'planted' } })

const catalogue = (): Catalogue => {
  const all = control.published.flatMap(({ put }) => put.map(({ fragment }) => fragment))
  const last = all.findLast(
    (one): one is CatalogueFragment => one.kind === 'catalogue' && one.slug === 'tools',
  )
  return JSON.parse(last!.json) as Catalogue
}
const entryOf = async (operation: string) =>
  (await control.store.read.auditEntries({ limit: 1, operation, bodies: true })).items[0]

test('an origin is asked before it is saved, and what it lists is published with it', async () => {
  const { output } = await run('origins.create', { name: 'Tools', url: URL, credential: 'bank' })
  assert.equal(output['revision'], 1)
  assert.equal(probes.length, 1)
  assert.match(String(probes[0]?.credential), /^crd_/)
  assert.deepEqual(catalogue().tools, [ECHO])
  const { output: shown } = await run('origins.get', { id: 'tools' })
  const { reachable, last_error, protocol, capabilities } = shown
  assert.deepEqual(
    { reachable, last_error, capabilities, version: (protocol as { version: string }).version },
    {
      reachable: 'ok',
      last_error: null,
      capabilities: { tools: 1, prompts: 0, resources: 0, resource_templates: 0 },
      version: '2026-07-28',
    },
  )
  assert.match(String((await entryOf('origins.create'))?.detail), /1 tools/)
})

test('a server that does not answer as one refuses the save, with what was tried; probe false saves all the same', async () => {
  answer = FAILED
  const input = { name: 'Gone', url: URL }
  const refusal = await refused(run('origins.create', input), 'configuration_invalid')
  assert.match(refusal.message, /initialize failed: status 502, no JSON/)
  assert.deepEqual(refusal.facts.members?.['steps'], FAILED.steps)
  await refused(run('origins.put', { id: 'gone', ...input }), 'configuration_invalid')
  await refused(run('origins.update', { id: 'tools', url: `${URL}/2` }), 'configuration_invalid')
  assert.equal((await run('origins.get', { id: 'tools' })).output['url'], URL)
  answer = new Error('no thread answers')
  await refused(run('origins.create', input), 'not_ready')
  probes.length = 0
  await run('origins.create', { ...input, probe: false })
  assert.equal(probes.length, 0)
  const { reachable, protocol } = (await run('origins.get', { id: 'gone' })).output
  assert.deepEqual([reachable, protocol], ['unknown', null])
})

test('only what makes a server another one is asked again, and nothing in a dry run', async () => {
  await run('origins.update', { id: 'tools', description: 'Said', pool_max: 3 })
  await run('origins.update', { id: 'tools', url: `${URL}/2` }, { dryRun: true })
  await run('origins.create', { name: 'Dry', url: URL }, { dryRun: true })
  assert.equal(probes.length, 0)
  await run('origins.put', { id: 'tools', name: 'Tools', url: URL })
  assert.deepEqual(
    probes.map(({ credential }) => credential),
    [null],
  )
  await run('origins.put', { id: 'tools', name: 'Tools', url: URL })
  assert.equal(probes.length, 1)
})

test('nothing is sent to a server by who may not save it, or may not send it the credential', async () => {
  const without = (...permissions: string[]) => ({
    grants: [{ role: { permissions: new Set(permissions) } }],
  })
  const input = { name: 'New', url: URL, credential: 'bank' }
  await refused(run('origins.create', input, without('origins:create')), 'permission_denied')
  const update = { id: 'tools', url: 'https://elsewhere.example/' }
  await run('origins.update', { id: 'tools', credential: 'bank', probe: false })
  const moving = without('origins:update', 'origins:read', 'credentials:read')
  await refused(run('origins.update', update, moving), 'permission_denied')
  await refused(run('origins.put', { id: 'new', ...input }, moving), 'permission_denied')
  const scope = { types: [], verbs: [], collections: [], tags: ['mine'] }
  await refused(run('origins.test', { id: 'tools' }, { grants: [{ role: 'admin', scope }] }), 'not_found')
  await refused(
    run('origins.refresh_catalog', { id: 'tools' }, { grants: [{ role: 'admin', scope }] }),
    'not_found',
  )
  await refused(run('origins.update', update, { expectedRevision: 99 }), 'revision_conflict')
  assert.equal(probes.length, 0)
})

test('a server is asked before it is stored: nothing is kept, and the answer names a way to sign in', async () => {
  const before = await control.store.read.revision()
  const { output } = await run('origins.probe', { definition: { url: URL } })
  assert.deepEqual(
    [output['ok'], output['needs_sign_in'], output['recommended_auth_mode']],
    [true, false, 'static'],
  )
  assert.equal(probes.length, 1)
  answer = { ...FAILED, needsSignIn: true }
  const { output: asked } = await run('origins.probe', { definition: { url: URL } })
  assert.deepEqual(
    [asked['ok'], asked['needs_sign_in'], asked['recommended_auth_mode']],
    [false, true, 'user_oauth'],
  )
  answer = FAILED
  const { output: failed } = await run('origins.probe', { definition: { url: URL } })
  assert.deepEqual([failed['ok'], failed['recommended_auth_mode']], [false, null])
  assert.match(String(failed['summary']), /initialize failed: status 502, no JSON/)
  assert.equal(await control.store.read.revision(), before)
  assert.equal((await entryOf('origins.probe'))?.operation, 'origins.probe')
})

test('a probe of a new server needs the permissions of a create, and meets the same rules', async () => {
  const input = { definition: { url: URL } }
  await refused(run('origins.probe', input, { role: 'viewer' }), 'permission_denied')
  await refused(run('origins.probe', { definition: { url: 'http://169.254.169.254/mcp' } }), 'input_invalid')
  await refused(run('origins.probe', { definition: {} }), 'input_invalid')
  assert.equal(probes.length, 0)
})

test('a test keeps nothing but its finding', async () => {
  answer = found({ tools: [ECHO, { ...ECHO, name: 'other' }] })
  const before = await control.store.read.revision()
  const { output, configRevision } = await run('origins.test', { id: 'tools' })
  assert.deepEqual([output['ok'], configRevision], [true, null])
  assert.equal(await control.store.read.revision(), before)
  assert.deepEqual(catalogue().tools, [ECHO])
  assert.match(String((await entryOf('origins.test'))?.detail), /speaks 2026-07-28 and lists 2 tools/)
  answer = FAILED
  assert.equal((await run('origins.test', { id: 'tools' })).output['ok'], false)
  assert.equal((await run('origins.get', { id: 'tools' })).output['reachable'], 'unreachable')
  await refused(run('origins.test', { id: 'tools' }, { dryRun: true }), 'input_invalid')
})

test('a refresh counts a revision only where the catalogue differs, and keeps the last one where it fails', async () => {
  answer = found({ tools: [{ ...ECHO, title: 'New' }, { name: 'add' }], prompts: [{ name: 'p' }] })
  const { output, configRevision } = await run('origins.refresh_catalog', { id: 'tools' })
  assert.deepEqual([output['ok'], output['changed']], [true, true])
  assert.notEqual(configRevision, null)
  assert.deepEqual(
    catalogue().tools.map(({ name }) => name),
    ['echo', 'add'],
  )
  const entry = await entryOf('origins.refresh_catalog')
  assert.match(String(entry?.detail), /has changed: 2 tools, 1 prompts/)
  const [difference] = entry?.diff ?? []
  assert.equal(difference?.path, '/catalogue')
  assert.deepEqual(difference?.value, {
    version: '2026-07-28',
    tools: 2,
    prompts: 1,
    resources: 0,
    resource_templates: 0,
    tools_added: ['add'],
    tools_changed: ['echo'],
    prompts_added: ['p'],
  })
  const again = await run('origins.refresh_catalog', { id: 'tools' })
  assert.deepEqual([again.output['changed'], again.configRevision], [false, null])
  answer = FAILED
  const failed = await run('origins.refresh_catalog', { id: 'tools' })
  assert.deepEqual(
    [failed.output['ok'], failed.output['changed'], failed.configRevision],
    [false, false, null],
  )
  assert.equal(catalogue().tools.length, 2)
  const shown = (await run('origins.get', { id: 'tools' })).output
  assert.deepEqual(
    [shown['reachable'], shown['last_error']],
    ['unreachable', 'initialize failed: status 502, no JSON.'],
  )
})

test('last_error ends with one full stop where a step failed with a sentence', async () => {
  const step = {
    step: 'discover',
    ok: false,
    latency_ms: 1,
    status: null,
    error: 'No server answers.',
  } as const
  answer = { steps: [step], found: null }
  await run('origins.refresh_catalog', { id: 'tools' })
  assert.equal(
    (await run('origins.get', { id: 'tools' })).output['last_error'],
    'server/discover failed: No server answers.',
  )
})

test('a catalogue is read page by page', async () => {
  const tools = Array.from({ length: 120 }, (_, n) => ({ name: `t${n}`, inputSchema: {} }))
  answer = found({ tools, resources: [{ uri: 'file:///a', name: 'a' }] }, { warnings: ['one was left out'] })
  await run('origins.refresh_catalog', { id: 'tools' })
  const names: unknown[] = []
  let cursor: unknown
  do {
    const { output } = await run('origins.catalog', { id: 'tools', ...(cursor == null ? {} : { cursor }) })
    names.push(...(output['items'] as { name: string }[]).map(({ name }) => name))
    cursor = output['next_cursor']
    assert.deepEqual(output['warnings'], ['one was left out'])
  } while (cursor !== null)
  assert.deepEqual(
    names,
    tools.map(({ name }) => name),
  )
  const { output } = await run('origins.catalog', { id: 'tools', type: 'resources' })
  assert.deepEqual(output['items'], [{ uri: 'file:///a', name: 'a' }])
  assert.equal((output['counts'] as { tools: number }).tools, 120)
  await refused(run('origins.catalog', { id: 'tools', cursor: 'bm9uZQ' }), 'input_invalid')
  assert.deepEqual((await run('origins.catalog', { id: 'gone' })).output['items'], [])
})

test('whatever a probe gives, a catalogue stays within its bounds', async () => {
  let deep: object = {}
  for (let level = 0; level < 5000; level++) deep = { deep }
  const text = (bytes: number) => 'x'.repeat(bytes)
  const cases: readonly [Partial<Catalogue>, number][] = [
    [{ tools: Array.from({ length: 2500 }, (_, n) => ({ name: `t${n}` })) }, 2000],
    [{ tools: [{ name: 'a', description: text(2 ** 20) }, { name: 'b' }] }, 1],
    [{ tools: [{ name: 'a', inputSchema: deep }, { name: 'b' }] }, 1],
    [{ tools: Array.from({ length: 40 }, (_, n) => ({ name: `${n}`, description: text(900_000) })) }, 18],
  ]
  for (const [listed, count] of cases) {
    answer = found(listed)
    const { output } = await run('origins.refresh_catalog', { id: 'tools' })
    assert.equal((output['capabilities'] as { tools: number }).tools, count)
    assert.equal((output['warnings'] as string[]).length, 1)
    assert.equal(catalogue().tools.length, count)
  }
})

test('an origin of kind collection has no server to ask', async () => {
  await run('collections.create', { name: 'Orders', base_path: '/orders' })
  await run('origins.create', { name: 'Own', kind: 'collection', collection: 'orders' })
  await refused(run('origins.test', { id: 'own' }), 'configuration_invalid')
  await refused(run('origins.refresh_catalog', { id: 'own' }), 'configuration_invalid')
  assert.equal(probes.length, 0)
  assert.equal((await run('origins.get', { id: 'own' })).output['reachable'], undefined)
})

test('a list that cannot be read keeps its last items at the same server, and none of another', async () => {
  const prompt = { name: 'greet' }
  const lists = (listed: Partial<Catalogue>, unread: CatalogueState['unread'] = []) =>
    found(listed, { unread, warnings: unread.map((type) => `${type} cannot be read`) })
  answer = lists({ tools: [ECHO], prompts: [prompt] })
  await run('origins.create', { name: 'Partly', url: URL })
  const counts = async () => (await run('origins.get', { id: 'partly' })).output['capabilities']
  answer = lists({ tools: [] }, ['prompts'])
  const { output } = await run('origins.refresh_catalog', { id: 'partly' })
  assert.equal(output['ok'], true)
  assert.deepEqual(await counts(), { tools: 0, prompts: 1, resources: 0, resource_templates: 0 })
  const { output: catalog } = await run('origins.catalog', { id: 'partly', type: 'prompts' })
  assert.deepEqual([catalog['items'], catalog['warnings']], [[prompt], ['prompts cannot be read']])
  await run('origins.update', { id: 'partly', url: `${URL}/other` })
  assert.deepEqual(await counts(), { tools: 0, prompts: 0, resources: 0, resource_templates: 0 })
})
