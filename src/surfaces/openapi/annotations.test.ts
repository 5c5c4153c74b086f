import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { UNITS } from '../../model/annotations.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { writableSchema } from '../../operations/engine/kind-schema.ts'
import { parentFields } from '../../operations/engine/refs.ts'
import { SHOWN_ONCE } from '../../operations/engine/write-options.ts'
import { ALL_KINDS } from '../../operations/kinds.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { buildProgram } from '../cli/program.ts'
import { publishInput, publishOutput } from '../mcp/published.ts'
import { nameOf } from '../route.ts'
import { toOpenApi } from './document.ts'

interface Entry extends Plain {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Plain }[]
}

const document = JSON.parse(JSON.stringify(toOpenApi(OPERATIONS))) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Entry>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Plain>> }
}
const entries = Object.values(document.paths).flatMap((item) => Object.values(item))
const { schemas } = document.components

interface Member {
  readonly name: string
  readonly schema: Plain
  /** The component or the operation that it stands in. */
  readonly place: string
}

/** Values of keywords that are no schemas. */
const VALUES = new Set(['default', 'enum', 'const', 'examples'])

function* membersIn(value: unknown, place: string): Generator<Member> {
  if (Array.isArray(value)) for (const item of value) yield* membersIn(item, place)
  if (!isPlain(value)) return
  const { properties } = value
  if (isPlain(properties))
    for (const [name, schema] of Object.entries(properties))
      if (isPlain(schema)) yield { name, schema, place }
  for (const [key, inner] of Object.entries(value)) if (!VALUES.has(key)) yield* membersIn(inner, place)
}

const members: readonly Member[] = [
  ...Object.entries(schemas).flatMap(([place, schema]) => [...membersIn(schema, place)]),
  ...entries.flatMap(({ operationId, parameters }) =>
    parameters.map(({ name, schema }) => ({ name, schema, place: operationId })),
  ),
]

/** The schema, the alternatives of its value and the items of its list. */
function formsOf(schema: Plain): readonly Plain[] {
  const { anyOf, oneOf, allOf, items } = schema
  const inner = [anyOf, oneOf, allOf].flatMap((some) => (Array.isArray(some) ? some : []))
  return [schema, ...[...inner, items].filter(isPlain).flatMap(formsOf)]
}

function typesOf(schema: Plain): readonly unknown[] {
  return formsOf(schema).flatMap(({ type }) => type)
}

function markOf(schema: Plain, mark: string): unknown {
  return formsOf(schema).find((form) => form[mark] !== undefined)?.[mark]
}

/** Names of texts that look like references and are none. */
const NO_REFERENCES: Readonly<Record<string, string>> = {
  access_key_id: 'of a foreign service',
  client_id: 'of an OAuth client elsewhere',
  conversation_id: 'of an agent',
  created_by: 'a principal of any type',
  credential_id: 'a token of a profile, which has no operations of its own',
  decided_by: 'a name',
  grant: 'the compact form',
  grants: 'the compact form',
  host: 'a host name',
  hosts: 'host names',
  id: 'the resource itself',
  key_id: 'of a foreign key',
  managed_by: 'a set of documents',
  mcp_request_id: 'of JSON-RPC',
  node_id: 'a node of the workflow',
  operation_id: 'of an OpenAPI description',
  origins: 'of CORS, where it is not a list of references',
  plan_id: 'a plan, which is not listed',
  request_id: 'shared by audit entries and records',
  role: 'a name of a role that is built in',
  roles: 'values of a claim',
  session_id: 'of MCP',
  trace_id: 'of W3C Trace Context',
  updated_by: 'a principal of any type',
  used_by: 'resources of several types',
}
/** Single members, by component. */
const NO_REFERENCE_AT: readonly string[] = [
  // What calls of the upstream take, as a sentence has it
  'RequestsExplainResponse credential',
  // host:binding
  'UsersReachResponse binding',
  // Subjects of tokens
  'VirtualMcpsPreviewRequest user',
  'VirtualMcpsTokenCostRequest user',
]

test('a text that is named like a resource, or ends like a reference, names the resource that it refers to', () => {
  const nouns = new Set<string>([...Object.keys(NOUNS), ...Object.values(NOUNS)])
  const isNamed = (name: string): boolean => nouns.has(name) || /_(ids?|slug|by)$/.test(name)
  const unmarked = members.filter(
    ({ name, schema, place }) =>
      isNamed(name) &&
      typesOf(schema).includes('string') &&
      markOf(schema, 'x-postern-ref') === undefined &&
      NO_REFERENCES[name] === undefined &&
      !NO_REFERENCE_AT.includes(`${place} ${name}`) &&
      // Subjects of tokens, and users
      !(name === 'users' && place.startsWith('VirtualMcp')),
  )
  assert.deepEqual(
    unmarked.map(({ name, place }) => `${place} ${name}`),
    [],
  )
})

test('each reference leads to a resource that can be listed or shown', () => {
  const resources = new Set(OPERATIONS.map(({ resource }) => resource))
  const refs = members.flatMap(({ name, schema, place }) =>
    formsOf(schema)
      .filter((form) => 'x-postern-ref' in form)
      .map((form) => ({ ref: form['x-postern-ref'], at: `${place} ${name}` })),
  )
  assert.ok(refs.length > 500)
  assert.deepEqual(
    refs.filter(({ ref }) => typeof ref !== 'string' || !resources.has(ref)),
    [],
  )
})

test('a reference that has the name of a resource leads to that one, in each of its forms', () => {
  const types = new Map(
    Object.entries(NOUNS).flatMap(
      ([type, noun]) =>
        [
          [noun, type],
          [type, type],
        ] as const,
    ),
  )
  const astray = members.flatMap(({ name, schema, place }) =>
    formsOf(schema)
      .filter(
        (form) => 'x-postern-ref' in form && types.has(name) && form['x-postern-ref'] !== types.get(name),
      )
      .map((form) => `${place} ${name}: ${String(form['x-postern-ref'])}`),
  )
  assert.deepEqual(astray, [])
})

test('each reference of each kind is marked where it is written', () => {
  for (const kind of ALL_KINDS) {
    const body = bodyOf(`${kind.type}.create`)
    for (const { field, type, within = [] } of [...parentFields(kind), ...kind.refs]) {
      const path = [...[within].flat(), field]
      // The settings of a node are an open object
      if (path.includes('config')) continue
      const found = membersAt(body, path)
      assert.ok(found.length > 0, `${kind.type}: ${path.join('.')}`)
      for (const schema of found) assert.equal(markOf(schema, 'x-postern-ref'), type, path.join('.'))
    }
  }
})

/** Numbers that count something, or are numbers of something. */
const PLAIN_NUMBERS: ReadonlySet<string> = new Set(
  `aborted added adopt allow_deletes attempts base_revision bindings breaking burst calls captured changed checkpoints client_errors
  clients config_revision contract_faults cost count create depth diff_entries draft_proxies dropped endpoints entries equals errors
  expected_revision facility failures faults from from_agents held imported in is items keep keyed_from left left_off left_out limit line max max_complexity max_depth
  min min_retries missing more nodes off order own own_max pending pending_revision places port present prompts proxies records_read records_waiting refused remaining remove removed
  resealed resolved resource_templates resources retries revision revision_after revision_before revoked rolled_back_to rows rule
  schemas secrets sent seq server_errors shown silent_nodes status stopped_at successes threads to tools unchanged undecided unmatched update upstream_status
  used valid_tokens was weight workflow_revision worst_excess would_refuse`.split(/\s+/),
)

test('each number has a unit, or is a plain number by its name', () => {
  const isNumber = (schema: Plain): boolean =>
    typesOf(schema).some((type) => type === 'integer' || type === 'number')
  const numbers = members.filter(({ schema }) => isNumber(schema))
  const unmarked = numbers.filter(
    ({ name, schema, place }) =>
      markOf(schema, 'x-postern-unit') === undefined &&
      !PLAIN_NUMBERS.has(name) &&
      // A count of access tokens
      !(name === 'tokens' && place === 'UsersReachResponse'),
  )
  assert.deepEqual(
    unmarked.map(({ name, place }) => `${place} ${name}`),
    [],
  )
  const named = new Set(numbers.map(({ name }) => name))
  assert.deepEqual(
    [...PLAIN_NUMBERS].filter((name) => !named.has(name)),
    [],
    'these numbers are gone',
  )
})

test('only units of the list are used, and each of them', () => {
  const used = new Set(members.flatMap(({ schema }) => formsOf(schema)).map((form) => form['x-postern-unit']))
  used.delete(undefined)
  assert.deepEqual([...used].toSorted(), [...UNITS].toSorted())
})

test('each secret that is written, and each that is shown once, is marked', () => {
  const said = members.filter(({ schema }) =>
    formsOf(schema).some(({ description }) =>
      /never shown again|shown only in this/i.test(String(description)),
    ),
  )
  assert.ok(said.length > 20, String(said.length))
  assert.deepEqual(
    said
      .filter(({ schema }) => markOf(schema, 'x-postern-secret') !== true)
      .map(({ place, name }) => `${place} ${name}`),
    [],
  )
  const names = new Set(
    members.filter(({ schema }) => markOf(schema, 'x-postern-secret') === true).map(({ name }) => name),
  )
  assert.deepEqual(
    [...SHOWN_ONCE].filter((name) => !names.has(name)),
    [],
  )
})

test('the secrets of each type of credential are marked, and its other members are not', () => {
  const auth = membersAt(bodyOf('credentials.create'), ['auth'])
  const byType = auth.flatMap(formsOf).flatMap((form) => {
    const { properties } = form
    if (!isPlain(properties) || !isPlain(properties['type'])) return []
    const secrets = Object.entries(properties).filter(
      ([, schema]) => isPlain(schema) && markOf(schema, 'x-postern-secret') === true,
    )
    return [[properties['type']['const'], secrets.map(([name]) => name)] as const]
  })
  assert.deepEqual(Object.fromEntries(byType)['basic'], ['password'])
  assert.deepEqual(Object.fromEntries(byType)['mtls'], ['client_key_pem'])
  assert.ok(byType.length > 5)
  for (const [type, secrets] of byType) assert.ok(secrets.length > 0, String(type))
})

test('each member of a kind that a form writes is in one section of the kind', () => {
  for (const kind of ALL_KINDS) {
    const placed = Object.values(kind.sections).flat()
    assert.deepEqual(placed.toSorted(), Object.keys(kind.spec.shape).toSorted(), kind.type)
    const body = bodyOf(`${kind.type}.create`)
    for (const name of Object.keys(writableSchema(kind).shape)) {
      const section = markOf(membersAt(body, [name])[0]!, 'x-postern-section')
      assert.ok(
        kind.sections[String(section)]?.includes(name) === true,
        `${kind.type}.${name}: ${String(section)}`,
      )
    }
  }
})

test('tables of resources have two to seven columns, numbered from 1', () => {
  for (const { type } of ALL_KINDS) {
    const item = membersAt(answerOf(`${type}.list`), ['items'])[0]!
    const numbers = formsOf(item)
      .flatMap((form) => [...membersIn(resolved(form), type)])
      .flatMap(({ schema }) => schema['x-postern-column'] ?? [])
    const columns = [...new Set(numbers)].toSorted()
    assert.ok(columns.length >= 2 && columns.length <= 7, `${type}: ${columns.length}`)
    assert.deepEqual(
      columns,
      columns.map((_, index) => index + 1),
      type,
    )
  }
})

test('each operation has the words of its command, and the tool that runs it', async () => {
  const program = await buildProgram(cliPorts({ operations: OPERATIONS, version: '0.0.0' }))
  for (const entry of entries) {
    const operation = OPERATIONS.find((one) => nameOf(one) === entry.operationId)!
    assert.equal(entry['x-postern-tool'], operation.tool ?? undefined)
    const words = String(entry['x-postern-cli']).split(' ')
    let command: Command | undefined = program
    for (const word of words) command = command?.commands.find((one) => one.name() === word)
    assert.ok(command !== undefined, words.join(' '))
  }
  const of = (id: string, mark: string) => entries.find(({ operationId }) => operationId === id)![mark]
  assert.equal(of('collections.publish', 'x-postern-cli'), 'collections publish')
  assert.equal(of('virtual_mcps.token_cost', 'x-postern-cli'), 'virtual-mcps token-cost')
  assert.equal(of('config.apply', 'x-postern-cli'), 'apply')
  assert.equal(of('whoami.show', 'x-postern-cli'), 'whoami')
  assert.equal(of('collections.delete', 'x-postern-confirm'), 'slug')
  assert.equal(of('collections.delete', 'x-postern-destructive'), true)
  assert.equal(of('collections.publish', 'x-postern-confirm'), undefined)
  assert.equal(of('collections.get', 'x-postern-destructive'), undefined)
})

test('schemas of tools have no annotations', () => {
  for (const { input, output } of OPERATIONS)
    assert.doesNotMatch(JSON.stringify([publishInput(input), publishOutput(output)]), /x-postern-/)
})

function resolved(schema: Plain): Plain {
  const { $ref: reference } = schema
  return typeof reference === 'string' ? schemas[reference.replace('#/components/schemas/', '')]! : schema
}

/** Schemas of the member at the path, through alternatives, lists and references. */
function membersAt(schema: Plain, [name, ...rest]: readonly string[]): readonly Plain[] {
  if (name === undefined) return [schema]
  return formsOf(resolved(schema))
    .map(resolved)
    .flatMap((form) => {
      const { properties } = form
      const member = isPlain(properties) ? properties[name] : undefined
      return isPlain(member) ? membersAt(member, rest) : []
    })
}

function contentOf(holder: unknown): Plain {
  const { content } = holder as { readonly content: Readonly<Record<string, { readonly schema: Plain }>> }
  return resolved(content['application/json']!.schema)
}

function bodyOf(id: string): Plain {
  return contentOf(entries.find(({ operationId }) => operationId === id)!['requestBody'])
}

function answerOf(id: string): Plain {
  const { responses } = entries.find(({ operationId }) => operationId === id)! as unknown as {
    readonly responses: Readonly<Record<string, unknown>>
  }
  return contentOf(responses['200'])
}
