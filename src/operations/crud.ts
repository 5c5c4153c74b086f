import { z } from 'zod'
import { type RefusalCode, refuse } from '../base/refusal.ts'
import { inWords, Ref, Slug } from '../model/common.ts'
import type { Fields, ListQuery, Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'
import { define, type Operation, type Subject } from './define.ts'
import { toInputInvalid } from './errors.ts'
import { type Kind, writableSchema, writtenSchema } from './kind.ts'
import { patchSchema } from './patch.ts'
import { findRef, getRef, parentFields, parentRef, seeking } from './refs.ts'
import { currentViewsOf, writtenView } from './views.ts'
import { createResource, findForPut, parseSpec, patchResource, replaceResource } from './write-resource.ts'

const PAGE_DEFAULT = 50
const PAGE_MAX = 200

/** Members that every list takes. Numbers may come as text, since queries do. */
export const page = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT).describe('Items on a page'),
  cursor: z.string().max(200).optional().describe('next_cursor of the page before'),
}

/** A list of items as every list answers it. */
export function pageOf(item: z.ZodObject) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() })
}

/** A position in a list as callers see it; the inverse of {@link fromCursor}. */
export function toCursor(position: string): string {
  return Buffer.from(position).toString('base64url')
}

/** The position that a cursor holds. Refuses with input_invalid when it does not have the form. */
export function fromCursor(cursor: string, form: RegExp): string {
  const position = Buffer.from(cursor, 'base64url').toString()
  if (!form.test(position))
    throw refuse('input_invalid', {
      detail: 'The cursor is not one that a list has answered.',
      errors: [{ pointer: '/cursor', reason: 'not a cursor of this list' }],
    })
  return position
}

/** What any change of the fields of a resource may be refused with. */
export const CHANGE_REFUSES: readonly RefusalCode[] = [
  'not_found',
  'already_exists',
  'revision_conflict',
  'configuration_invalid',
  'idempotency_conflict',
]

/** What an operation on one resource touches and names. */
export const about = (kind: Kind) => ({
  subject: (input: Fields, output: Fields | undefined): Subject => {
    const ref = typeof input['id'] === 'string' ? input['id'] : null
    const asked = typeof input['slug'] === 'string' ? input['slug'] : null
    const isId = ref?.includes('_') === true
    return {
      type: kind.noun,
      id: text(output?.['id']) ?? (isId ? ref : null),
      slug: text(output?.['slug']) ?? asked ?? (isId ? null : ref),
    }
  },
})

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** One tag may stand for itself. */
const Tags = z.preprocess((given) => (typeof given === 'string' ? [given] : given), z.array(Slug).max(20))

/** `list`: a page of resources, oldest first, with the filters of the kind. */
export function listOf(kind: Kind): Operation {
  const filters = {
    tag: Tags.optional().describe('Only those with the tag, or with all of several'),
    ...Object.fromEntries(
      parentFields(kind).map(({ field }) => [
        field,
        Ref.optional().describe(`Only those of the ${inWords(field)}`),
      ]),
    ),
    ...Object.fromEntries(Object.entries(kind.filters).map(([name, schema]) => [name, schema.optional()])),
  }
  return define({
    resource: kind.type,
    action: 'list',
    effect: 'read',
    tool: `list_${kind.type}`,
    group: kind.group,
    summary: `List ${inWords(kind.type)}, oldest first`,
    input: z.strictObject({ ...page, ...filters }) as z.ZodObject,
    output: pageOf(kind.view) as z.ZodObject,
    permission: `${kind.type}:read`,
    refuses: [],
    columns: kind.columns,
    subject: () => ({ type: kind.noun, id: null, slug: null }),
    handle: async (input: Fields, context) => listResources(kind, input, context),
  })
}

async function listResources(kind: Kind, input: Fields, context: OperationContext): Promise<Fields> {
  const limit = input['limit'] as number
  const where: Record<string, string | number | boolean> = {}
  const holds: Record<string, string> = {}
  for (const name of Object.keys(kind.filters)) {
    const value = input[name]
    if (value === undefined) continue
    const ref = kind.refs.find((field) => field.field === name)
    if (ref === undefined) {
      where[name] = value as string | number | boolean
      continue
    }
    // What does not exist has no users: the page is empty.
    const id = (await findRef(context.reader, ref.type, String(value), `/${name}`))?.id ?? String(value)
    if (ref.many === true) holds[name] = id
    else where[name] = id
  }
  const query: ListQuery = {
    type: kind.type,
    limit: limit + 1,
    where,
    holds,
    // Parsed by the schema above
    tags: (input['tag'] ?? []) as readonly string[],
    ...(typeof input['cursor'] === 'string'
      ? { after: fromCursor(input['cursor'], /^[a-z]{3}_[0-9a-z]{26}$/) }
      : {}),
    ...(await parentFilter(kind, input, context)),
  }
  const found = await context.reader.list(query)
  const items = found.slice(0, limit)
  return {
    items: await currentViewsOf(context, kind, items),
    next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
  }
}

async function parentFilter(
  kind: Kind,
  input: Fields,
  context: OperationContext,
): Promise<{ parent?: string }> {
  const fields = parentFields(kind).filter(({ field }) => typeof input[field] === 'string')
  const ids: string[] = []
  for (const { field, type } of fields)
    ids.push((await getRef(context.reader, type, String(input[field]))).id)
  if (new Set(ids).size > 1)
    throw refuse('input_invalid', {
      detail: 'Nothing belongs to several of these.',
      errors: fields.map(({ field }) => ({ pointer: `/${field}`, reason: 'name one' })),
    })
  return ids[0] === undefined ? {} : { parent: ids[0] }
}

/** `get`: one resource by id or slug. */
export function getOf(kind: Kind): Operation {
  return define({
    resource: kind.type,
    action: 'get',
    effect: 'read',
    tool: `get_${kind.noun}`,
    group: kind.group,
    summary: `Show a ${inWords(kind.noun)}`,
    input: z.strictObject({ id: Ref }),
    output: kind.view,
    permission: `${kind.type}:read`,
    refuses: ['not_found'],
    columns: kind.columns,
    ...about(kind),
    handle: async (input, context) => {
      const resource = await context.find(kind.type, input.id)
      return (await currentViewsOf(context, kind, [resource]))[0]!
    },
  })
}

/** What making a resource may add: to the answer, and to what is stored. */
export interface Making {
  readonly input?: z.ZodRawShape
  readonly output?: z.ZodRawShape
  readonly revealsOnce?: boolean
  readonly parts?: Operation['parts']
  /** Runs in the same transaction; what it returns joins the answer. */
  readonly made?: (resource: Resource, input: Fields, context: OperationContext) => Promise<Fields>
}

/** `create`: a new resource; references may be slugs. */
export function createOf(kind: Kind, making: Making = {}): Operation {
  return define({
    resource: kind.type,
    action: 'create',
    effect: 'create',
    tool: `create_${kind.noun}`,
    group: kind.group,
    summary: `Create a ${inWords(kind.noun)}`,
    input: writableSchema(kind).extend(making.input ?? {}) as z.ZodObject,
    output: writtenSchema(kind).extend(making.output ?? {}) as z.ZodObject,
    permission: `${kind.type}:create`,
    refuses: ['already_exists', 'configuration_invalid', 'idempotency_conflict', ...shown(making)],
    ...(making.revealsOnce === true ? { revealsOnce: true } : {}),
    ...(making.parts === undefined ? {} : { parts: making.parts }),
    columns: kind.columns,
    ...about(kind),
    handle: async (input: Fields, context) => {
      const written = without(input, Object.keys(making.input ?? {}))
      const spec = kind.fixed === undefined ? written : parseSpec(kind.spec, written)
      return answer(context, kind, await createResource(context, kind, spec), input, making)
    },
  })
}

const shown = (making: Making): readonly 'secret_already_shown'[] =>
  making.revealsOnce === true ? ['secret_already_shown'] : []

function without(input: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(input).filter(([name]) => !names.includes(name)))
}

async function answer(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
  input: Fields,
  making: Making,
): Promise<Fields> {
  const extra = (await making.made?.(resource, input, context)) ?? {}
  const stored = (await context.whole.byId(kind.type, resource.id)) ?? resource
  return { ...(await writtenView(context, kind, stored)), ...extra }
}

/** `update`: merges members into a resource; see {@link patchSchema}. */
export function updateOf(kind: Kind): Operation {
  const fixed = [...(kind.fixed ?? []), ...parentFields(kind).map(({ field }) => field)]
  return define({
    resource: kind.type,
    action: 'update',
    effect: 'update',
    tool: `update_${kind.noun}`,
    group: kind.group,
    summary: `Change members of a ${inWords(kind.noun)}; the others stay`,
    input: z.strictObject({ id: Ref, ...patchSchema(kind.spec, fixed) }) as z.ZodObject,
    output: writtenSchema(kind),
    permission: `${kind.type}:update`,
    refuses: CHANGE_REFUSES,
    columns: kind.columns,
    ...about(kind),
    handle: async (input: Fields, context) => {
      const { id, ...patch } = input
      const resource = await context.change.act(kind.type, String(id))
      return writtenView(context, kind, await patchResource(context, kind, resource, patch))
    },
  })
}

/** Makes or replaces by slug, so that the same call twice leaves the same. Not an MCP tool: create and update are. */
export function putOf(kind: Kind, making: Making = {}): Operation {
  return define({
    resource: kind.type,
    action: 'put',
    effect: 'update',
    tool: null,
    group: kind.group,
    summary: `Create a ${inWords(kind.noun)} or replace all its members`,
    input: z.strictObject({ id: Ref, ...writableSchema(kind).shape, ...keptSchema(kind) }) as z.ZodObject,
    output: writtenSchema(kind).extend(making.output ?? {}) as z.ZodObject,
    permission: `${kind.type}:update`,
    refuses: [...CHANGE_REFUSES, ...shown(making)],
    ...(making.revealsOnce === true ? { revealsOnce: true } : {}),
    columns: kind.columns,
    ...about(kind),
    handle: async (input: Fields, context) => {
      const { id, ...spec } = input
      const ref = String(id)
      const known = await findForPut(context, kind, ref, spec)
      if (known !== undefined) {
        if (!isId(ref)) refuseOtherSlug(known.slug, spec)
        return writtenView(
          context,
          kind,
          await replaceResource(context, kind, await context.change.actOn(known), {
            ...kept(kind, known),
            ...spec,
          }),
        )
      }
      const parent = ref.includes(':') ? null : parentRef(kind, spec)
      const sought = { type: kind.type, ref: parent === null ? ref : `${parent}:${ref}` }
      const made = await seeking(sought, async () => {
        context.require(`${kind.type}:create`)
        const slug = newSlug(kind, ref, spec, context)
        return createResource(context, kind, parseSpec(kind.spec, { ...spec, slug }))
      })
      return answer(context, kind, made, input, making)
    },
  })
}

/** States that a put leaves alone when it does not name them: silence must not publish, hide or revive anything. */
const KEPT = ['status', 'active', 'schemas']

function keptSchema(kind: Kind): z.ZodRawShape {
  const loose = patchSchema(kind.spec)
  return Object.fromEntries(Object.entries(loose).filter(([name]) => KEPT.includes(name)))
}

function kept({ fixed = [] }: Kind, resource: Resource): Fields {
  const names = [...KEPT, ...fixed]
  return Object.fromEntries(Object.entries(resource.spec).filter(([name]) => names.includes(name)))
}

/** The slug that a put gives to what it makes. Refuses when the path cannot be one or the body says another. */
function newSlug(kind: Kind, ref: string, spec: Fields, context: OperationContext): string {
  if (ref.includes('_')) throw refuse('not_found', { detail: `There is no ${inWords(kind.noun)} "${ref}".` })
  if (context.options.expectedRevision !== undefined)
    throw refuse('revision_conflict', { detail: `There is no ${inWords(kind.noun)} "${ref}" yet.` })
  const slug = Slug.safeParse(kind.parent === null ? ref : ref.slice(ref.indexOf(':') + 1))
  if (!slug.success) throw toInputInvalid(slug.error)
  refuseOtherSlug(slug.data, spec)
  return slug.data
}

/** `col_...`, also below its parent. */
function isId(ref: string): boolean {
  return ref.includes('_', ref.indexOf(':') + 1)
}

/** A put by slug that renamed would make a second resource when it is repeated. One by id says what it means. */
function refuseOtherSlug(slug: string, spec: Fields): void {
  if (spec['slug'] === undefined || spec['slug'] === slug) return
  throw refuse('input_invalid', {
    detail:
      'The slug in the body is not the one in the path. To rename, change the slug alone (PATCH), or put by id.',
    errors: [{ pointer: '/slug', reason: `must be "${slug}" or absent` }],
  })
}

/** Switches `active` by an explicit state. `revive` refuses what must not be switched on. */
export function toggleOf(
  kind: Kind,
  revive: (resource: Resource, context: OperationContext) => Promise<void> = async () => {},
): Operation {
  return define({
    resource: kind.type,
    action: 'toggle',
    effect: 'act',
    tool: `toggle_${kind.noun}`,
    group: kind.group,
    summary: `Switch a ${inWords(kind.noun)} on or off, by status or active`,
    input: z.strictObject({
      id: Ref,
      status: z.enum(['active', 'inactive']).optional().describe('The state it is to have'),
      active: z.boolean().optional().describe('The same as a truth value'),
    }),
    output: writtenSchema(kind),
    permission: `${kind.type}:update`,
    refuses: ['not_found', 'revision_conflict', 'configuration_invalid', 'idempotency_conflict'],
    idempotent: true,
    columns: kind.columns,
    ...about(kind),
    handle: async ({ id, status, active }, context) => {
      const wanted = active ?? (status === undefined ? undefined : status === 'active')
      if (wanted === undefined || (status !== undefined && wanted !== (status === 'active')))
        throw refuse('input_invalid', {
          detail: 'Say the state: status "active" or "inactive", or active true or false.',
          errors: [{ pointer: '/status', reason: wanted === undefined ? 'required' : 'contradicts active' }],
        })
      const resource = await context.change.act(kind.type, id)
      if (wanted && resource.spec['active'] !== true) await revive(resource, context)
      const spec = { ...resource.spec, active: wanted }
      return writtenView(context, kind, await context.change.replace(resource, { spec }))
    },
  })
}
