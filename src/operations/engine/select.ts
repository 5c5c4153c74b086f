/**
 * `fields` and `expand`, which the registry adds to every read that answers resources. `invoke` applies them after the
 * handler. Expanded resources pass the same scoped access as any other read.
 */
import { z } from 'zod'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import type { Operation } from './define.ts'
import type { Kind } from './kind.ts'
import type { RefField } from './kind-schema.ts'
import { idsAt, parentField, parentFields } from './refs.ts'

const fieldsInput = z
  .string()
  .max(1000)
  .optional()
  .describe('Members to return, separated by commas, such as id,slug or auth.type. Default: all')

/** What a reader wants of an answer. */
export interface Selection {
  /** Null for all members. */
  readonly fields: Tree | null
  readonly expand: readonly RefField[]
}

/** Members by name; null below one that is wanted whole. */
interface Tree extends ReadonlyMap<string, Tree | null> {}

const WHOLE: Selection = { fields: null, expand: [] }

/** The operation with `fields`, and `expand` where there is something to expand; the same when it answers no resources. */
export function selectable(operation: Operation): Operation {
  if (operation.effect !== 'read' || Object.hasOwn(operation.input.shape, 'fields')) return operation
  const isPage = Object.hasOwn(operation.output.shape, 'items')
  if (!isPage && operation.action !== 'get') return operation
  const names = [...new Set(expandable(operation).map(({ field }) => field))]
  const expand = z
    .string()
    .max(200)
    .optional()
    .describe(`References to include in expanded: ${names.join(', ')}`)
  const input = operation.input.extend({ fields: fieldsInput, ...(names.length === 0 ? {} : { expand }) })
  return { ...operation, input }
}

/** References that an answer of the operation may be expanded by. */
function expandable({ answers: kind }: Operation): readonly RefField[] {
  if (kind === undefined) return []
  return [...parentFields(kind), ...kind.refs].filter(({ isInner }) => isInner !== true)
}

/** Takes the selection out of a parsed input. Refuses with input_invalid what the answers do not have. */
export function takeSelection(
  operation: Operation,
  input: Plain,
): { readonly selection: Selection; readonly input: Plain } {
  if (operation.input.shape['fields'] !== fieldsInput) return { selection: WHOLE, input }
  const { fields, expand, ...own } = input
  const named = namesIn(expand)
  const known = expandable(operation)
  refuseUnknown(
    'expand',
    named,
    known.map(({ field }) => field),
    (name) => known.some(({ field }) => field === name),
  )
  return {
    selection: {
      fields: fields === undefined ? null : treeOf(operation, namesIn(fields)),
      expand: known.filter(({ field }) => named.includes(field)),
    },
    input: own,
  }
}

function namesIn(text: unknown): readonly string[] {
  return typeof text === 'string' ? text.split(',').map((name) => name.trim()) : []
}

function refuseUnknown(
  member: string,
  given: readonly string[],
  known: readonly string[],
  isKnown: (name: string) => boolean,
): void {
  const errors = given
    .filter((name) => !isKnown(name))
    .slice(0, 20)
    .map((name) => ({
      pointer: `/${member}`,
      reason: `there is no "${name.slice(0, 64)}"; there are: ${known.join(', ')}`,
    }))
  if (errors.length > 0)
    throw refuse('input_invalid', { detail: `/${member}: ${errors[0]!.reason}.`, errors })
}

/** A JSON Schema as zod prints it. */
type Schema = Readonly<Record<string, unknown>>

const printed = new WeakMap<z.ZodObject, Schema>()

function schemaOf(output: z.ZodObject): Schema {
  const known = printed.get(output)
  if (known !== undefined) return known
  const schema: Schema = { ...z.toJSONSchema(output, { io: 'output', unrepresentable: 'any' }) }
  printed.set(output, schema)
  return schema
}

function treeOf({ output }: Operation, paths: readonly string[]): Tree {
  const root = schemaOf(output)
  const isPage = Object.hasOwn(output.shape, 'items')
  const item = isPage ? (membersOf(root)['items'] as Schema) : root
  const known = alternatives(item, root).flatMap((one) => Object.keys(membersOf(one)))
  refuseUnknown('fields', paths, [...new Set(known)], (path) => leads(item, path.split('.'), root))
  const tree = new Map<string, Tree | null>()
  for (const path of paths) grow(tree, path.split('.'))
  return isPage
    ? new Map(Object.keys(output.shape).map((name) => [name, name === 'items' ? tree : null]))
    : tree
}

function grow(tree: Map<string, Tree | null>, [name, ...rest]: readonly string[]): void {
  const below = tree.get(name!)
  if (below === null) return
  if (rest.length === 0) {
    tree.set(name!, null)
    return
  }
  // Only this function makes trees
  const inner = (below ?? new Map()) as Map<string, Tree | null>
  tree.set(name!, inner)
  grow(inner, rest)
}

/** True when values of the schema may have a member there. Lists are looked through. */
function leads(schema: Schema, [name, ...rest]: readonly string[], root: Schema): boolean {
  if (name === undefined) return true
  return alternatives(schema, root).some((one) => {
    if (Object.hasOwn(membersOf(one), name)) return leads(membersOf(one)[name]!, rest, root)
    const { additionalProperties: others } = one
    return name !== '' && isPlain(others) && leads(others, rest, root)
  })
}

/** The schemas between which one chooses, with those of the items of lists. */
function alternatives(schema: Schema, root: Schema, seen: Set<Schema> = new Set()): readonly Schema[] {
  if (seen.has(schema)) return []
  seen.add(schema)
  const { $ref: reference, anyOf, oneOf, allOf, items } = schema
  const meant = typeof reference === 'string' ? referred(reference, root) : undefined
  const inner = [meant, items, ...[anyOf, oneOf, allOf].flatMap((some) => (Array.isArray(some) ? some : []))]
  return [schema, ...inner.filter(isPlain).flatMap((one) => alternatives(one, root, seen))]
}

function referred(reference: string, root: Schema): unknown {
  if (reference === '#') return root
  const { $defs: shared } = root
  return isPlain(shared) ? shared[reference.replace('#/$defs/', '')] : undefined
}

function membersOf(schema: Schema): Readonly<Record<string, Schema>> {
  // zod prints properties as an object of schemas
  return (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>
}

/** What is wanted of an answer; the answer itself where that is all of it. */
export async function select(
  operation: Operation,
  { fields, expand }: Selection,
  output: Plain,
  context: OperationContext,
): Promise<Plain> {
  const whole = expand.length === 0 ? output : await expanded(operation.answers!, expand, output, context)
  // What was expanded was asked for
  const wanted = fields === null || expand.length === 0 ? fields : withExpanded(fields)
  return wanted === null ? whole : (pick(whole, wanted) as Plain)
}

function withExpanded(fields: Tree): Tree {
  const items = fields.get('items')
  if (items == null) return new Map([...fields, ['expanded', null]])
  return new Map([...fields, ['items', new Map([...items, ['expanded', null]])]])
}

function pick(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value)) return value.map((item) => pick(item, tree))
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const below = tree.get(name)
      return below === undefined ? [] : [[name, below === null ? inner : pick(inner, below)]]
    }),
  )
}

/** The answer with a summary of what each resource refers to, as far as the principal may read that. */
async function expanded(
  kind: Kind,
  refs: readonly RefField[],
  output: Plain,
  context: OperationContext,
): Promise<Plain> {
  const known = new Map<string, Plain | null>()
  const summary = async (type: ResourceType, id: string): Promise<Plain | null> => {
    const found = known.get(id)
    if (found !== undefined) return found
    const made = await summaryOf(type, id, context)
    known.set(id, made)
    return made
  }
  const expandOne = async (view: unknown): Promise<unknown> => {
    const id = isPlain(view) ? view['id'] : undefined
    const resource = typeof id === 'string' ? await context.reader.byId(kind.type, id) : undefined
    if (!isPlain(view) || resource === undefined) return view
    const summaries: Plain = {}
    for (const ref of refs) {
      const found = []
      for (const id of idsOfRef(kind, ref, resource)) found.push(await summary(ref.type, id))
      const shown = found.filter((one) => one !== null)
      // Several members of a spec may refer by the same name; a summary is made once
      if (ref.many === true)
        summaries[ref.field] = [
          ...new Set([...((summaries[ref.field] as Plain[] | undefined) ?? []), ...shown]),
        ]
      else if (shown[0] !== undefined) summaries[ref.field] = shown[0]
    }
    return { ...view, expanded: summaries }
  }
  const { items } = output
  if (!Array.isArray(items)) return (await expandOne(output)) as Plain
  return { ...output, items: await Promise.all(items.map(expandOne)) }
}

function idsOfRef(kind: Kind, ref: RefField, { parent, spec }: Resource): readonly string[] {
  if (!parentFields(kind).includes(ref)) return idsAt(ref, spec)
  return ref === parentField(kind, spec) ? [parent!] : []
}

/** Null for what the principal may not read. */
async function summaryOf(type: ResourceType, id: string, context: OperationContext): Promise<Plain | null> {
  const found = await context.reader.byId(type, id)
  if (found === undefined) return null
  try {
    await context.demand(`${type}:read`, found)
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
  const { slug, spec } = found
  return { id, slug, ...statesOf(spec) }
}

function statesOf(spec: Fields): Fields {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => SUMMARY.has(name)))
}

/** Of a spec, what tells which one it is and whether it works. */
const SUMMARY: ReadonlySet<string> = new Set(['name', 'status', 'active'])
