import { z } from 'zod'
import { toInputInvalid } from '../../base/json/fault.ts'
import { refuse } from '../../base/refusal.ts'
import { Ref, Slug, Status } from '../../model/members.ts'
import { inWords, withArticle } from '../../model/resource-types.ts'
import { LIST_ORDERS, type ListOrder, type ListQuery } from '../../store/ports/config.ts'
import type { FacetName, Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import { about, CHANGE_REFUSES, define, type Operation } from './define.ts'
import { type Kind, writtenSchema } from './kind.ts'
import { patchSchema, writableSchema } from './kind-schema.ts'
import { fromCursor, page, pageOf, toCursor } from './lists.ts'
import { findRef, getRef, parentFields, parentRef, seeking } from './refs.ts'
import { demandUse, forgetHeaders } from './resource-secrets.ts'
import { deleteOf } from './standard-delete.ts'
import { viewsOf } from './views.ts'
import {
  createResource,
  findForPut,
  parseSpec,
  patchResource,
  replaceResource,
  writtenView,
} from './write-resource.ts'

/** The operations that every kind has, by action. `detach` as of {@link deleteOf}. */
export function standardOf(
  kind: Kind,
  detach?: (resource: Resource, context: OperationContext) => Promise<void>,
) {
  return {
    list: listOf(kind),
    get: getOf(kind),
    create: createOf(kind),
    update: updateOf(kind),
    put: putOf(kind),
    delete: deleteOf(kind, detach),
  }
}

/** What making a resource may add: to the answer, and to what is stored. */
export interface Making<One extends Resource = Resource> {
  readonly input?: z.ZodRawShape
  readonly output?: z.ZodRawShape
  readonly revealsOnce?: boolean
  readonly parts?: Operation['parts']
  /** Runs in the same transaction; what it returns joins the answer. */
  made?(resource: One, input: Fields, context: OperationContext): Promise<Fields>
}

/** `create`: a new resource; references may be slugs. */
export function createOf(kind: Kind, making: Making = {}): Operation {
  return define({
    resource: kind.type,
    action: 'create',
    effect: 'create',
    tool: `create_${kind.noun}`,
    group: kind.group,
    summary: `Create ${withArticle(kind.noun)}`,
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
function updateOf(kind: Kind): Operation {
  const fixed = [...(kind.fixed ?? []), ...parentFields(kind).map(({ field }) => field)]
  return define({
    resource: kind.type,
    action: 'update',
    effect: 'update',
    tool: `update_${kind.noun}`,
    group: kind.group,
    summary: `Change members of ${withArticle(kind.noun)}; other members keep their values`,
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
    summary: `Create ${withArticle(kind.noun)} or replace all its members`,
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
  const slug = Slug.safeParse(parentFields(kind).length === 0 ? ref : ref.slice(ref.indexOf(':') + 1))
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
      'The slug in the body is not the one in the path. To rename, send only the new slug with PATCH, or use PUT with the id.',
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
    summary: `Activate or deactivate ${withArticle(kind.noun)}, with status or active`,
    input: z.strictObject({
      id: Ref,
      status: z.enum(['active', 'inactive']).optional().describe('New state'),
      active: z.boolean().optional().describe('The new state as a boolean'),
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
          detail: 'Give the state: status "active" or "inactive", or active true or false.',
          errors: [{ pointer: '/status', reason: wanted === undefined ? 'required' : 'contradicts active' }],
        })
      const resource = await context.change.act(kind.type, id)
      if (wanted && resource.spec['active'] !== true) await revive(resource, context)
      const spec = { ...resource.spec, active: wanted }
      return writtenView(context, kind, await context.change.replace(resource, { spec }))
    },
  })
}

/**
 * Publishes a resource, making its pending draft live, or takes it back with status draft. `also` runs afterwards
 * in the same transaction.
 */
export function publishOf(
  kind: Kind,
  extra: z.ZodRawShape = {},
  also: (resource: Resource, input: Fields, context: OperationContext) => Promise<void> = async () => {},
): Operation {
  return define({
    resource: kind.type,
    action: 'publish',
    effect: 'act',
    tool: `toggle_${kind.noun}_status`,
    group: kind.group,
    summary: `Publish ${withArticle(kind.noun)} with its pending draft, or make it a draft`,
    input: z.strictObject({
      id: Ref,
      status: Status.default('published').describe('New state'),
      ...extra,
    }) as z.ZodObject,
    output: writtenSchema(kind),
    permission: `${kind.type}:publish`,
    refuses: CHANGE_REFUSES,
    idempotent: true,
    columns: kind.columns,
    ...about(kind),
    handle: async (input: Fields, context) => {
      const resource = await context.change.act(kind.type, String(input['id']))
      await setStatus(kind, resource, input['status'] as Status, context)
      await also(resource, input, context)
      return writtenView(context, kind, (await context.whole.byId(kind.type, resource.id))!)
    },
  })
}

/** Publishes or takes back one resource; its rules are checked as for any other write. */
export async function setStatus(
  kind: Kind,
  resource: Resource,
  status: Status,
  context: OperationContext,
): Promise<Resource> {
  const live = status === 'published' && resource.draft !== null ? resource.draft : resource.spec
  const spec = { ...live, status }
  await demandUse(context, kind, spec, resource.id, [resource.spec])
  await kind.check?.(spec, { id: resource.id, parent: resource.parent }, context)
  const stored = await context.change.replace(resource, {
    spec,
    draft: status === 'published' ? null : resource.draft,
  })
  await forgetHeaders(context, resource, stored)
  await kind.stored?.(stored, resource, context)
  return stored
}

const Text = z
  .string()
  .min(1)
  .max(200)
  .describe('Only items with this text in the name, slug, path, base path or email address, ignoring case')

const Order = z
  .enum(LIST_ORDERS)
  .default('oldest')
  .describe('Sort order: by creation (oldest, newest), by slug, or updated: last change first')

/** One tag may stand for itself. */
const Tags = z.preprocess((given) => (typeof given === 'string' ? [given] : given), z.array(Slug).max(20))

/** `list`: a page of resources with the filters of the kind, oldest first unless the caller asks for another order. */
function listOf(kind: Kind): Operation {
  const filters = {
    tag: Tags.optional().describe(
      'Only resources with this tag. Several tags: only resources with all of them',
    ),
    ...Object.fromEntries(
      parentFields(kind).map(({ field }) => [
        field,
        Ref.optional().describe(`Only items of the ${inWords(field)}`),
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
    summary: `List ${inWords(kind.type)}`,
    input: z.strictObject({ ...page, text: Text.optional(), order: Order, ...filters }) as z.ZodObject,
    output: pageOf(kind.view) as z.ZodObject,
    answers: kind,
    permission: `${kind.type}:read`,
    refuses: [],
    columns: kind.columns,
    subject: () => ({ type: kind.noun, id: null, slug: null }),
    handle: async (input: Fields, context) => listResources(kind, input, context),
  })
}

async function listResources(kind: Kind, input: Fields, context: OperationContext): Promise<Fields> {
  const limit = input['limit'] as number
  const order = input['order'] as ListOrder
  const where: Partial<Record<FacetName, string | number | boolean>> = {}
  const holds: Partial<Record<FacetName, string>> = {}
  for (const name of Object.keys(kind.filters) as FacetName[]) {
    const value = input[name]
    if (value === undefined) continue
    const ref = kind.refs.find(({ field, isInner }) => field === name && isInner !== true)
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
    order,
    ...(typeof input['text'] === 'string' ? { text: input['text'] } : {}),
    ...(typeof input['cursor'] === 'string' ? positionOf(input['cursor'], order) : {}),
    ...(await parentFilter(kind, input, context)),
  }
  const found = await context.reader.list(query)
  const items = found.slice(0, limit)
  return {
    items: await currentViewsOf(context, kind, items),
    next_cursor: found.length > limit ? cursorOf(items.at(-1)!, order) : null,
  }
}

const ID = '[a-z]{3}_[0-9a-z]{26}'
const POSITIONS: Readonly<Record<ListOrder, RegExp>> = {
  oldest: new RegExp(`^(?<id>${ID})$`),
  newest: new RegExp(`^-(?<id>${ID})$`),
  slug: new RegExp(`^(?<id>${ID}) (?<value>\\S{1,100})$`),
  updated: new RegExp(`^-(?<id>${ID}) (?<value>\\S{1,30})$`),
}

function cursorOf({ id, slug, updated_at }: Resource, order: ListOrder): string {
  const sign = order === 'newest' || order === 'updated' ? '-' : ''
  const value = order === 'slug' ? ` ${slug}` : order === 'updated' ? ` ${updated_at}` : ''
  return toCursor(`${sign}${id}${value}`)
}

/** What {@link cursorOf} has written. Refuses with input_invalid the cursor of another order. */
function positionOf(cursor: string, order: ListOrder): Pick<ListQuery, 'after' | 'afterValue'> {
  const form = POSITIONS[order]
  // `fromCursor` has tested the form
  const { id, value } = form.exec(fromCursor(cursor, form))!.groups!
  return { after: id!, ...(value !== undefined && { afterValue: value }) }
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
      detail: 'Give only one of these filters.',
      errors: fields.map(({ field }) => ({ pointer: `/${field}`, reason: 'name one' })),
    })
  return ids[0] === undefined ? {} : { parent: ids[0] }
}

/** `get`: one resource by id or slug. */
function getOf(kind: Kind): Operation {
  return define({
    resource: kind.type,
    action: 'get',
    effect: 'read',
    tool: `get_${kind.noun}`,
    group: kind.group,
    summary: `Show ${withArticle(kind.noun)}`,
    input: z.strictObject({ id: Ref }),
    output: kind.view,
    answers: kind,
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

/** Resources as get and list show them: with what is true of them at the moment. */
async function currentViewsOf(
  context: OperationContext,
  kind: Kind,
  resources: readonly Resource[],
): Promise<Record<string, unknown>[]> {
  const views = await viewsOf(context.reader, kind, resources)
  if (kind.current === undefined) return views
  const current = await kind.current(resources, context)
  return views.map((view) => ({ ...view, ...current.get(String(view['id'])) }))
}
