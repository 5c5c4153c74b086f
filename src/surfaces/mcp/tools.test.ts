import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { checkTools } from '../../../test/support/tool-schemas.ts'
import { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import { CollectionSpec } from '../../model/api/collection.ts'
import { CredentialSpec } from '../../model/api/credential.ts'
import { PolicySpec } from '../../model/api/policy.ts'
import { ProxySpec } from '../../model/api/proxy.ts'
import { Envelope } from '../../model/members.ts'
import { RequestRecord } from '../../model/record.ts'
import { define, type Operation } from '../../operations/engine/define.ts'
import { publishTools } from './list.ts'
import { publishInput, publishOutput } from './published.ts'
import { meantByMember, toTools } from './tools.ts'

const Id = z.strictObject({ id: z.string().describe('Id or slug') })

function make(
  resource: string,
  action: string,
  effect: Operation['effect'],
  tool: string | null,
  input: z.ZodObject,
  output: z.ZodObject,
): Operation {
  return define({
    resource,
    action,
    effect,
    tool,
    group: `manage_${resource}`,
    summary: `${action} ${resource}`,
    input,
    output,
    permission: `${resource}:${effect === 'read' ? 'read' : 'write'}`,
    refuses: [],
    columns: [],
    subject: () => ({ type: resource, id: null, slug: null }),
    handle: () => Promise.reject(new Error('never called')),
  })
}

const SPECS: Readonly<Record<string, z.ZodObject>> = {
  collections: CollectionSpec,
  proxies: ProxySpec,
  clients: ClientSpec,
  profiles: ProfileSpec,
  policies: PolicySpec,
  credentials: CredentialSpec,
}
const OPERATIONS: readonly Operation[] = Object.entries(SPECS).flatMap(([resource, spec]) => {
  const full = Envelope.extend(spec.omit({ slug: true }).shape)
  const page = z.object({ items: z.array(full), next_cursor: z.string().nullable() })
  return [
    make(resource, 'list', 'read', `list_${resource}`, z.strictObject({ limit: z.int().optional() }), page),
    make(resource, 'get', 'read', `get_${resource}`, Id, full),
    make(resource, 'create', 'create', `create_${resource}`, spec, full),
    make(
      resource,
      'update',
      'update',
      `update_${resource}`,
      z.strictObject({ ...Id.shape, ...spec.partial().shape }),
      full,
    ),
    make(resource, 'delete', 'delete', `delete_${resource}`, Id, Id),
    make(resource, 'put', 'update', null, spec, full),
  ]
})

describe('tools made from the nouns of the model', () => {
  const tools = toTools(OPERATIONS)

  test('both views are valid for clients and model APIs', () => {
    for (const view of [tools.full, tools.grouped]) checkTools(publishTools(view, () => true))
    assert.equal(tools.full.length, 30)
    assert.equal(tools.grouped.length, 6)
  })

  test('a group with some of its actions is valid too', () => {
    const reads = publishTools(tools.grouped, (operation) => operation.effect === 'read')
    assert.equal(reads.length, 6)
    checkTools(reads)
    assert.ok(reads.every((tool) => tool.annotations.readOnlyHint))
  })

  test('write options stand on every write and on no read', () => {
    for (const tool of tools.full) {
      const [operation] = tool.operations
      const { properties } = publishTools([tool], () => true)[0]!.inputSchema as { properties: object }
      for (const name of ['dry_run', 'expected_revision', 'idempotency_key', 'reason', 'confirm', 'mode'])
        assert.equal(Object.hasOwn(properties, name), operation!.effect !== 'read', `${tool.name} ${name}`)
    }
  })
})

test('manage_credentials understands what people call the credentials of a client', () => {
  const rotate = make('profiles', 'rotate', 'act', 'rotate_profile_credentials', Id, Id)
  const tools = toTools([...OPERATIONS, rotate])
  const group = tools.byName.get('manage_credentials')!
  assert.equal(group.actions.get('generate'), rotate)
  assert.equal(group.actions.get('rotate'), undefined)
  assert.equal(meantByMember(group, 'rotate', { profile: 'acme:one' })?.operation, rotate)
  assert.equal(meantByMember(group, 'rotate', { id: 'acme:one' }), null)
  assert.equal(group.actions.get('create_client')?.tool, 'create_clients')
  assert.equal(group.actions.get('revoke'), undefined)
  assert.ok(!group.listed.includes('rotate'))
})

test('any JSON value is published as anything, and formats stand without their patterns', () => {
  const input = publishInput(
    z.strictObject({ any: z.json().describe('Anything'), at: z.iso.datetime(), n: z.int() }),
  )
  assert.deepEqual(input, {
    type: 'object',
    properties: {
      any: { description: 'Anything' },
      at: { type: 'string', format: 'date-time' },
      n: { type: 'integer' },
    },
    required: ['any', 'at', 'n'],
  })
})

test('shared parts stand in place', () => {
  const Shared = z.object({ a: z.string() }).meta({ id: 'Shared' })
  const output = publishOutput(z.object({ one: Shared, many: z.array(Shared) }))
  const part = { type: 'object', properties: { a: { type: 'string' } } }
  assert.deepEqual(output.properties, { one: part, many: { type: 'array', items: part } })
  assert.doesNotMatch(JSON.stringify(publishOutput(RequestRecord)), /\$ref/)
})

test('two tools of one name, or an action that names nothing, stop the start', () => {
  const one = make('a', 'get', 'read', 'manage_a', Id, Id)
  assert.throws(() => toTools([one]), /two tools are named manage_a/)
  const [two, again] = ['two', 'again'].map((tool) => make('a', 'get', 'read', tool, Id, Id))
  assert.throws(() => toTools([two!, { ...again!, tool: 'two' }]), /two: no action names a/)
})
