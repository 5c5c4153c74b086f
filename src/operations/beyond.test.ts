import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, startControl } from '../../test/control.ts'
import { exampleOf } from '../../test/support/kind-examples.ts'
import type { Grant } from '../access/principal.ts'
import { Refusal } from '../base/refusal.ts'
import type { ResourceType } from '../model/resource-types.ts'
import type { Operation } from './engine/define.ts'
import { ALL_KINDS, KINDS_IN_ORDER } from './kinds.ts'
import { OPERATIONS } from './registry.ts'

/** In every name and slug beyond the scope, and in no input; with letters that no id has, so that none holds it by chance. */
const MARK = 'zuloq'
/** What each type has beyond the scope, and inside of it. */
const BEYOND = await made(MARK, (type) => `${MARK}-${type.replaceAll('_', '-')}`)
const INSIDE = await made('Inside', () => 'inside')
/** Types of which there is one inside. */
const INSIDE_TYPES: readonly ResourceType[] = [
  ...(['policies', 'credentials', 'collections', 'proxies', 'origins', 'virtual_mcps', 'clients'] as const),
]

async function made(
  name: string,
  refOf: (type: ResourceType) => string,
): Promise<Readonly<Record<string, object>>> {
  const examples = ALL_KINDS.map(async ({ type }) => [type, await exampleOf(type, name, refOf)] as const)
  return Object.fromEntries(await Promise.all(examples))
}

/** Members that may name other resources. */
const REFERRING = [
  ...['policy', 'credential', 'collection', 'collections', 'client', 'profile', 'proxy', 'role', 'workflow'],
  ...[
    'service_identity',
    'resource',
    'actor',
    'text',
    'virtual_mcps',
    'origin',
    'host',
    'virtual_mcp',
    'user',
  ],
]

let control: Control
/** Ids of what lies beyond, by type. */
const ids = new Map<string, string>()
/** Ids of what lies inside. */
let collection = ''
let virtualMcp = ''
before(async () => {
  control = await startControl()
  for (const { type } of KINDS_IN_ORDER) {
    const slug = `${MARK}-${type.replaceAll('_', '-')}`
    const { output } = await control.run(`${type}.create`, { ...BEYOND[type], slug })
    ids.set(type, String(output['id']))
  }
  for (const { type } of KINDS_IN_ORDER.filter((kind) => INSIDE_TYPES.includes(kind.type))) {
    const { output } = await control.run(`${type}.create`, {
      ...INSIDE[type],
      slug: 'inside',
      tags: ['mine'],
    })
    if (type === 'collections') collection = String(output['id'])
    if (type === 'virtual_mcps') virtualMcp = String(output['id'])
  }
})
after(() => control.close())

/** Inputs that ask an operation for what lies beyond, or set it beside that. */
function* probes({ resource, action, input: { shape } }: Operation): Generator<Record<string, unknown>> {
  yield {}
  const beyond = ids.get(resource)
  const spec = { ...INSIDE[resource], name: 'New', tags: ['mine'] }
  const put = action === 'create' || action === 'put' ? spec : {}
  const more = action === 'toggle' ? { active: false } : action === 'rotate' ? { auth: { token: 'y' } } : put
  // Documents that take a place beyond, and that refer there
  if ('documents' in shape)
    for (const { type, noun, refs } of ALL_KINDS) {
      const given = { ...INSIDE[type], name: 'New' }
      yield { documents: [{ kind: noun, slug: 'new', spec: given }] }
      for (const { field, many, type: to } of refs) {
        const member = { [field]: many === true ? [ids.get(to)] : ids.get(to) }
        yield { documents: [{ kind: noun, slug: 'new', spec: { ...given, ...member } }] }
      }
    }
  const at = 'id' in shape ? [beyond, `inside:${beyond}`, 'inside'] : [undefined]
  for (const id of at) {
    const asked = id === undefined ? more : { id, ...more }
    yield asked
    if ('base_path' in shape) yield { ...asked, base_path: '/beyond' }
  }
  // Beside what is found, or nothing of this would be looked up; nor would be what the schema refuses
  const found = 'id' in shape ? { id: 'inside', ...more } : more
  for (const member of REFERRING)
    for (const value of ids.values())
      for (const one of [value, [value]])
        if (shape[member]?.safeParse(one).success) yield { ...found, [member]: one }
  if ('members' in shape) yield { ...found, members: [{ origin: ids.get('origins') }] }
}

test('no operation names what lies beyond a scope, whatever it is asked, and none changes it', async () => {
  const scope = { types: [], verbs: [], collections: [], tags: [] }
  const principals: readonly Grant[][] = [
    [{ role: 'admin', scope: { ...scope, collections: [collection] } }],
    [{ role: 'admin', scope: { ...scope, collections: [virtualMcp] } }],
    [{ role: 'admin', scope: { ...scope, tags: ['mine'] } }],
  ]
  const revision = await control.store.read.revision()
  let answered = 0
  for (const grants of principals)
    for (const operation of OPERATIONS)
      for (const input of probes(operation)) {
        const name = `${operation.resource}.${operation.action}`
        const dryRun = operation.effect !== 'read'
        const told = await control.run(name, input, { grants, dryRun }).then(
          ({ output, diff }) => {
            answered++
            return { output, diff }
          },
          (error: unknown) => {
            if (!(error instanceof Refusal)) throw error
            return { message: error.message, facts: error.facts }
          },
        )
        assert.ok(!JSON.stringify(told).includes(MARK), `${name} ${JSON.stringify([input, told])}`)
      }
  assert.ok(answered > 100, `${answered}`)
  assert.equal(await control.store.read.revision(), revision)
})
