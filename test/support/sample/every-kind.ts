/** A resource of each kind, with as many of its members set as the gateway takes together: as they derive from the OpenAPI document. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { ResourceType } from '../../../src/model/resource-types.ts'
import { parentRef } from '../../../src/operations/engine/refs.ts'
import { KINDS_IN_ORDER, kindOf } from '../../../src/operations/kinds.ts'
import { type Json, type JsonObject, type ResourceSchemas, schemasOf } from '../../../ui/build/document.ts'
import { resolve } from '../../../ui/src/schema/fields.ts'
import { isObject, type Path, pointerOf, withAt } from '../../../ui/src/schema/value.ts'
import type { TestServer } from '../../scenarios/server.ts'
import { exampleOf } from '../kind-examples.ts'

const document = JSON.parse(
  readFileSync(new URL('../../golden/openapi.json', import.meta.url), 'utf8'),
) as JsonObject
export const SCHEMAS: Readonly<Record<string, ResourceSchemas>> = schemasOf(document)

const START = { id: 'http', type: 'http_trigger' }
const RESPONSE = { id: 'ok', type: 'response_node', inputs: { body: 'fine' } }
const definition = { nodes: [START, RESPONSE], edges: [{ from: 'http', to: 'ok' }] }

/** Members without which a kind is refused here or cannot be seen whole, though its example does without them. */
const ALSO: Readonly<Partial<Record<ResourceType, JsonObject>>> = {
  credentials: { auth: { type: 'bearer', token: { env: 'SECRET_MADE' } } },
  sinks: { auth: { type: 'webhook_signature', secret: { env: 'SECRET_MADE' } } },
  workflows: { definition },
  origins: { url: 'http://127.0.0.1:9/mcp', probe: false },
  clients: { profiles: [] },
}
/** Types in an order in which each comes after those that it names. */
export const KINDS: readonly ResourceType[] = KINDS_IN_ORDER.map(({ type }) => type)

export interface Made {
  readonly kind: ResourceType
  readonly id: string
  /** Members that were set, as JSON pointers. */
  readonly set: readonly string[]
}

/** Values that may be tried for a member, the one that is liked most first. */
export type Offer = (schema: JsonObject, path: Path) => readonly Json[]

const slugOf = (kind: string): string => `${kind.replaceAll('_', '-')}-made`

/** How a resource is addressed: those below others by both slugs. */
function idOf(kind: ResourceType, spec: JsonObject): string {
  const parent = parentRef(kindOf(kind), spec)
  return parent === null ? String(spec['slug']) : `${parent}:${spec['slug']}`
}

/** Makes a resource of a kind. Each offered value is kept if a dry run takes it beside those that were kept before. */
export async function makeFull(server: TestServer, kind: ResourceType, offer: Offer | null): Promise<Made> {
  const { actions, $defs } = SCHEMAS[kind]!
  const example = await exampleOf(kind, slugOf(kind), slugOf)
  // What JSON was made of, and members that are JSON
  let spec = { ...example, slug: slugOf(kind), ...ALSO[kind] } as JsonObject
  const set: string[] = []
  if (offer !== null)
    for (const { path, schema, names } of membersOf(actions['create']!.input, $defs)) {
      if (path[0] === 'slug' || path[0] === 'probe') continue
      if (isOfOtherBranch(spec, names)) continue
      for (const value of offer(schema, path)) {
        if (isRefused(schema, value)) continue
        const tried = withAt(spec, path, value) as JsonObject
        const { status } = await server.manage('POST', `/${kind}`, { ...tried, dry_run: true })
        if (status >= 300) continue
        spec = tried
        set.push(pointerOf(path))
        break
      }
    }
  const { status, text } = await server.manage('POST', `/${kind}`, spec)
  assert.equal(status, 201, `${kind}: ${text}`)
  return { kind, id: idOf(kind, spec), set }
}

/** Whether a value breaks the form that its own schema documents. The gateway refuses it, so that nobody need ask. */
function isRefused(schema: JsonObject, value: Json): boolean {
  if (Array.isArray(value)) {
    const { items } = schema
    return isObject(items) && value.some((one) => isRefused(items, one))
  }
  if (typeof value !== 'string') return false
  const { pattern, format, minLength = 0, maxLength = Infinity } = schema
  return (
    value.length < Number(minLength) ||
    value.length > Number(maxLength) ||
    (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) ||
    (format === 'uri' && !URL.canParse(value))
  )
}

interface Member {
  readonly path: Path
  readonly schema: JsonObject
  /** Members that must have one value in the branch of a union to which the member belongs, by their pointers. */
  readonly names: ReadonlyMap<string, Json>
}

/** Whether the resource has another branch of a union at the place of the member: it would be refused there. */
function isOfOtherBranch(spec: JsonObject, names: Member['names']): boolean {
  for (const [pointer, value] of names) {
    const found = pointer
      .split('/')
      .slice(1)
      .reduce<unknown>((at, name) => (at as JsonObject | undefined)?.[name], spec)
    if (found !== undefined && found !== value) return true
  }
  return false
}

/** Members of an input at any depth, each within lists as the first item. Deeper than `depth` they are left out. */
export function membersOf(schema: JsonObject, $defs: ResourceSchemas['$defs'], depth = 5): readonly Member[] {
  const walk = (given: JsonObject, path: Path, left: number, outer: Member['names']): Member[] => {
    if (left === 0) return []
    const own = resolve(given, $defs)
    const found: Member[] = path.length === 0 ? [] : [{ path, schema: own, names: outer }]
    for (const word of ['anyOf', 'oneOf'])
      for (const branch of listOf(own[word])) found.push(...walk(branch, path, left - 1, outer))
    const properties = own['properties']
    const names = new Map(outer)
    if (isObject(properties))
      for (const [name, member] of Object.entries(properties))
        if (isObject(member) && member['const'] !== undefined)
          names.set(pointerOf([...path, name]), member['const'])
    if (isObject(properties))
      for (const [name, member] of Object.entries(properties))
        if (isObject(member)) found.push(...walk(member, [...path, name], left - 1, names))
    if (isObject(own['items'])) found.push(...walk(own['items'], [...path, 0], left - 1, names))
    const further = own['additionalProperties']
    if (isObject(further)) found.push(...walk(further, [...path, 'made'], left - 1, names))
    return found
  }
  return walk(schema, [], depth + 1, new Map())
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

/** A value that differs from the default, or none. */
export function plainValues(schema: JsonObject, path: Path): readonly Json[] {
  // The token of the credential is read from an external source: a text that is stored is never answered
  if (pointerOf(path).startsWith('/auth/token')) return []
  const usual = schema['default']
  const values = schema['enum']
  if (Array.isArray(values)) return values.filter((value) => value !== usual).slice(0, 3)
  const [type] = [schema['type']].flat()
  const name = String(path.at(-1))
  if (type === 'boolean') return [usual !== true]
  if (type === 'integer' || type === 'number')
    return [Number(schema['minimum'] ?? 0) + 2, Number(schema['minimum'] ?? 1)]
  if (type === 'string') {
    const ref = schema['x-postern-ref']
    if (typeof ref === 'string') return [slugOf(ref)]
    if (schema['format'] === 'date-time') return ['2099-01-01T00:00:00.000Z']
    if (schema['format'] === 'email') return ['made@example.com']
    return [
      'Made by hand',
      '30s',
      '7d',
      'made',
      'https://example.com/made',
      '203.0.113.0/24',
      '200-299',
      'X-Made',
    ]
  }
  const items = schema['items']
  if (type !== 'array' || !isObject(items)) return []
  if (typeof items['x-postern-ref'] === 'string') return [[slugOf(items['x-postern-ref'])]]
  if (typeof schema['x-postern-ref'] === 'string') return [[slugOf(schema['x-postern-ref'])]]
  if (Array.isArray(items['enum'])) return [items['enum'].slice(0, 2)]
  if (name === 'permissions') return [['audit:read', 'proxies:read']]
  return items['type'] === 'string' ? [['made', 'by-hand'], ['203.0.113.0/24'], ['https://example.com']] : []
}
