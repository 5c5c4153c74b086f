import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Ref, Slug } from '../../model/members.ts'
import { inWords, withArticle } from '../../model/resource-types.ts'
import { LIST_ORDERS, type ListOrder, type ListQuery } from '../../store/ports/config.ts'
import type { FacetName } from '../../store/ports/facets.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import { about, define, type Operation } from './define.ts'
import type { Kind } from './kind.ts'
import { fromCursor, page, pageOf, toCursor } from './lists.ts'
import { findRef, getRef, parentFields } from './refs.ts'
import { viewsOf } from './views.ts'

const Text = z
  .string()
  .min(1)
  .max(200)
  .describe(
    'Only those with this text in the name, slug, path, base path or email address; case does not matter',
  )

const Order = z
  .enum(LIST_ORDERS)
  .default('oldest')
  .describe('Sort order: by creation (oldest, newest), by slug, or updated: last change first')

/** One tag may stand for itself. */
const Tags = z.preprocess((given) => (typeof given === 'string' ? [given] : given), z.array(Slug).max(20))

/** `list`: a page of resources with the filters of the kind, oldest first unless the caller asks for another order. */
export function listOf(kind: Kind): Operation {
  const filters = {
    tag: Tags.optional().describe('Only resources with this tag, or with all of several tags'),
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
export function getOf(kind: Kind): Operation {
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
