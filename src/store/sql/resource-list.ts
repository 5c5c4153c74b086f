import { type Expression, type ExpressionBuilder, expressionBuilder, type Kysely, type SqlBool } from 'kysely'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { Status } from '../../model/members.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { ListOrder, ListQuery, Part } from '../ports/config.ts'
import { FACETS, type FacetName, type Fields, type Resource, TEXT_FACETS } from '../ports/resource.ts'
import { type ConfigTables, type Dialect, type ResourceRow, ROWS_MAX } from './tables.ts'

type Db = Kysely<ConfigTables>
/** Where conditions on a row of `resources` stand. */
type Here = ExpressionBuilder<ConfigTables, 'resources'>

/** Of each order the column that comes before the id, and the direction. */
const ORDERS = {
  oldest: [null, 'asc'],
  newest: [null, 'desc'],
  slug: ['slug', 'asc'],
  updated: ['updated_at', 'desc'],
} as const satisfies Record<ListOrder, readonly ['slug' | 'updated_at' | null, 'asc' | 'desc']>

/** Resources that one statement looks through at most. */
const PART = 2000

/** Where a resource stands in the order of a list: its id, and what it has in the column of the order. */
type Place = Pick<ListQuery, 'after' | 'afterValue'>

/** One page of a list; see {@link ListQuery}. One of very many resources is read, or looked through, in several statements. */
export async function listResources(db: Db, query: ListQuery, dialect: Dialect): Promise<Resource[]> {
  const [column] = ORDERS[query.order ?? 'oldest']
  const found: Resource[] = []
  for (let from = query; ; ) {
    const limit = Math.min(query.limit - found.length, ROWS_MAX)
    const end = await endOfPart(db, from)
    const page = await readPage(db, { ...from, limit }, end, dialect)
    for (const row of page) {
      found.push(toResource(row))
      await yieldThread(found.length)
    }
    if (found.length === query.limit) return found
    const last = found.at(-1)
    if (last !== undefined && page.length === limit) from = { ...query, ...placeOf(last, column) }
    else if (end !== null) from = { ...query, ...end }
    else return found
    await yieldThread(0)
  }
}

function placeOf(
  { id, ...values }: { readonly id: string } & Partial<Pick<Resource, 'slug' | 'updated_at'>>,
  column: 'slug' | 'updated_at' | null,
): Place {
  const value = column === null ? undefined : values[column]
  return { after: id, ...(value !== undefined && { afterValue: value }) }
}

/** The facet whose index a list is read from, and what is asked of each resource there. */
function planOf(query: ListQuery) {
  const [column] = ORDERS[query.order ?? 'oldest']
  const [first, ...more] = conditionsOf(query)
  // In the order of a column, all that have the facet are sorted: many share a coarse one
  const isRead = first !== undefined && (column === null || !COARSE.has(first[0]))
  return isRead ? { first, more } : { first: undefined, more: first === undefined ? [] : [first, ...more] }
}

/** The last place that the next statement looks through; null for the end of the list. */
async function endOfPart(db: Db, query: ListQuery): Promise<Place | null> {
  const { type, parent, after, within, text } = query
  const [column, direction] = ORDERS[query.order ?? 'oldest']
  const { first, more } = planOf(query)
  // Nearly all that is looked at is found, or sorted in any case
  if (text === undefined && within === undefined && more.length === 0) return null
  if (first !== undefined) {
    if (column !== null) return null
    let all = db
      .selectFrom('facets as first')
      .select('first.resource_id as id')
      .where('first.type', '=', type)
      .where('first.name', '=', first[0])
      .where('first.value', '=', first[1])
    if (after !== undefined) all = all.where('first.resource_id', direction === 'asc' ? '>' : '<', after)
    const end = await all
      .orderBy('first.resource_id', direction)
      .offset(PART - 1)
      .limit(1)
      .executeTakeFirst()
    return end === undefined ? null : placeOf(end, null)
  }
  const eb = expressionBuilder<ConfigTables, 'resources'>()
  let all = db
    .selectFrom('resources')
    .select(['id', ...(column === null ? [] : [column])])
    .where('type', '=', type)
    .where(eb.and(beyond(eb, query)))
  if (parent !== undefined) all = all.where('parent_id', '=', parent)
  if (column !== null) all = all.orderBy(column, direction)
  const end = await all
    .orderBy('id', direction)
    .offset(PART - 1)
    .limit(1)
    .executeTakeFirst()
  return end === undefined ? null : placeOf(end, column)
}

/** Whether a resource follows the place that a list goes on from. */
function beyond(eb: Here, { after, afterValue = '', order = 'oldest' }: ListQuery): Expression<SqlBool>[] {
  const [column, direction] = ORDERS[order]
  const follows = direction === 'asc' ? '>' : '<'
  if (after === undefined) return []
  if (column === null) return [eb('resources.id', follows, after)]
  return [
    // Says nothing new, and lets the database begin there instead of at the first row
    eb(`resources.${column}`, `${follows}=`, afterValue),
    eb.or([eb(`resources.${column}`, follows, afterValue), eb('resources.id', follows, after)]),
  ]
}

/** Whether a resource stands before a place, or at it. */
function upTo(eb: Here, { after: id = '', afterValue = '' }: Place, order: ListOrder): Expression<SqlBool>[] {
  const [column, direction] = ORDERS[order]
  const precedes = direction === 'asc' ? '<' : '>'
  if (column === null) return [eb('resources.id', `${precedes}=`, id)]
  return [
    eb(`resources.${column}`, `${precedes}=`, afterValue),
    eb.or([eb(`resources.${column}`, precedes, afterValue), eb('resources.id', `${precedes}=`, id)]),
  ]
}

/** @param end the last place that is looked at; null for all */
async function readPage(
  db: Db,
  query: ListQuery,
  end: Place | null,
  dialect: Dialect,
): Promise<ResourceRow[]> {
  const { type, parent, within, limit, text, order = 'oldest' } = query
  const [column, direction] = ORDERS[order]
  const { first, more } = planOf(query)
  const eb = expressionBuilder<ConfigTables, 'resources'>()
  const rest = eb.and([
    ...(parent === undefined ? [] : [eb('resources.parent_id', '=', parent)]),
    ...more.map(([name, value]) => eb.exists(facetsHere(eb, name).where('facets.value', '=', value))),
    ...(within === undefined ? [] : [eb.or(within.map((part) => fits(eb, part)))]),
    ...(text === undefined ? [] : [holdsText(eb, text, dialect)]),
  ])
  if (first === undefined) {
    let all = db
      .selectFrom('resources')
      .selectAll()
      .where('type', '=', type)
      .where(rest)
      .where(eb.and([...beyond(eb, query), ...(end === null ? [] : upTo(eb, end, order))]))
    if (column !== null) all = all.orderBy(column, direction)
    return all.orderBy('id', direction).limit(limit).execute()
  }
  // Read from the index of facets, in which the ids of one value stand in order
  let found = db
    .selectFrom('facets as first')
    .innerJoin('resources', 'resources.id', 'first.resource_id')
    .selectAll('resources')
    .where('first.type', '=', type)
    .where('first.name', '=', first[0])
    .where('first.value', '=', first[1])
    .where(rest)
  if (column !== null)
    found = found.where(eb.and(beyond(eb, query))).orderBy(`resources.${column}`, direction)
  else {
    const [follows, precedes] = direction === 'asc' ? (['>', '<='] as const) : (['<', '>='] as const)
    if (query.after !== undefined) found = found.where('first.resource_id', follows, query.after)
    if (end?.after !== undefined) found = found.where('first.resource_id', precedes, end.after)
  }
  return found.orderBy('first.resource_id', direction).limit(limit).execute()
}

/** Facets that many resources share: the worst to begin with. */
const COARSE: ReadonlySet<FacetName> = new Set(['active', 'kind', 'status'])

/** Names and values of facets that a resource must have, the coarse ones last. */
function conditionsOf({ where = {}, holds = {}, tags = [] }: ListQuery): (readonly [FacetName, string])[] {
  const values = [...Object.entries(where), ...Object.entries(holds)]
  const asked: readonly (readonly [string, unknown])[] = [
    ...tags.map((tag) => ['tags', tag] as const),
    ...values,
  ]
  return asked
    .map(([name, value]) => [facetNamed(name), facetValue(value) ?? ''] as const)
    .toSorted(([a], [b]) => Number(COARSE.has(a)) - Number(COARSE.has(b)))
}

/** A record of any texts has the type of conditions too, and a name that is no facet would find nothing. */
function facetNamed(name: string): FacetName {
  const found = FACETS.find((facet) => facet === name)
  if (found === undefined) throw new Error(`lists cannot be asked by "${name}": add it to FACETS`)
  return found
}

/** Whether the resource that is looked at has a text in a name, or in a member that is one. */
function holdsText(eb: Here, text: string, dialect: Dialect): Expression<SqlBool> {
  return eb.or([
    dialect.contains(eb.ref('resources.name'), text),
    dialect.contains(eb.ref('resources.slug'), text),
    ...TEXT_FACETS.map((name) =>
      eb.exists(facetsHere(eb, name).where((facets) => dialect.contains(facets.ref('facets.value'), text))),
    ),
  ])
}

/** The facets of the resource that is looked at, by the columns of their index. */
function facetsHere(eb: Here, name: FacetName) {
  return eb
    .selectFrom('facets')
    .select('facets.name')
    .whereRef('facets.type', '=', 'resources.type')
    .where('facets.name', '=', name)
    .whereRef('facets.resource_id', '=', 'resources.id')
}

/** Whether the resource that is looked at, a row of `resources`, is within a part. */
export function fits(eb: Here, { collections, tags }: Part): Expression<SqlBool> {
  return eb.and([
    // A parent may be a client too, but ids of different types never meet
    ...(collections.length === 0
      ? []
      : [eb.or([eb('resources.id', 'in', collections), eb('resources.parent_id', 'in', collections)])]),
    ...(tags.length === 0
      ? []
      : [
          eb.or([
            eb.exists(facetsHere(eb, 'tags').where('facets.value', 'in', tags)),
            eb.exists(
              eb
                .selectFrom('resources as above')
                .innerJoin('facets', (join) =>
                  join.onRef('facets.type', '=', 'above.type').onRef('facets.resource_id', '=', 'above.id'),
                )
                .select('facets.name')
                .whereRef('above.id', '=', 'resources.parent_id')
                .where('facets.name', '=', 'tags')
                .where('facets.value', 'in', tags),
            ),
          ]),
        ]),
  ])
}

/** A resource as its row. */
export function toResourceRow(resource: Resource): ResourceRow {
  const { parent, key, spec, draft, ...rest } = resource
  return {
    ...rest,
    parent_id: parent,
    lookup_key: key,
    spec: JSON.stringify(spec),
    draft: draft === null ? null : JSON.stringify(draft),
  }
}

/** A resource of a row that {@link toResourceRow} has made. */
export function toResource(row: ResourceRow): Resource {
  const { parent_id, lookup_key, ...rest } = row
  return {
    ...rest,
    // Only insert and replace write these columns, from a Resource.
    type: row.type as ResourceType,
    status: row.status as Status | null,
    parent: parent_id,
    key: lookup_key,
    spec: JSON.parse(row.spec) as Fields,
    draft: row.draft === null ? null : (JSON.parse(row.draft) as Fields),
  }
}

// Facets: the values by which lists of resources are filtered, one row for each value of a member of {@link FACETS} in the
// live spec. Rows change in the transaction that changes their resource. A filtered list reads the index of facets, in order
// of ids.

type FacetRow = ConfigTables['facets']

/** The text by which a value is found; null for a value that no list asks for. */
function facetValue(value: unknown): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || typeof value === 'number' ? String(value) : null
}

/** The facets of a resource: of each member its value, or the distinct values of a list. */
function facetsOf({ id, type, spec }: Pick<Resource, 'id' | 'spec'> & { type: string }): FacetRow[] {
  return FACETS.flatMap((name) =>
    valuesOf(spec, name).map((value) => ({ type, name, value, resource_id: id })),
  )
}

function valuesOf(spec: Fields, name: FacetName): string[] {
  const found = spec[name]
  const values = Array.isArray(found) ? found : [found]
  return [...new Set(values.map(facetValue).filter((value) => value !== null))]
}

/** Writes the facets of a new resource. */
export async function insertFacets(db: Db, resource: Resource): Promise<void> {
  await insert(db, facetsOf(resource))
}

/**
 * Brings facets from the resource as it is stored to what it is about to be; null for a resource that goes. Runs before the row
 * changes: there is one index alone, which finds facets by their values and not by their resource.
 */
export async function changeFacets(db: Db, id: string, resource: Resource | null): Promise<void> {
  const row = await db
    .selectFrom('resources')
    .select(['type', 'spec'])
    .where('id', '=', id)
    .executeTakeFirst()
  // Only insert and replace write this column, from a Resource
  const before = row === undefined ? [] : facetsOf({ ...row, id, spec: JSON.parse(row.spec) as Fields })
  const after = resource === null ? [] : facetsOf(resource)
  const isIn = (rows: readonly FacetRow[]): ((row: FacetRow) => boolean) => {
    const known = new Set(rows.map(({ name, value }) => `${name} ${value}`))
    return ({ name, value }) => known.has(`${name} ${value}`)
  }
  const [kept, known] = [isIn(after), isIn(before)]
  for (const { type, name, value } of before.filter((one) => !kept(one)))
    await db
      .deleteFrom('facets')
      .where('type', '=', type)
      .where('name', '=', name)
      .where('value', '=', value)
      .where('resource_id', '=', id)
      .execute()
  await insert(
    db,
    after.filter((one) => !known(one)),
  )
}

async function insert(db: Db, rows: readonly FacetRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += ROWS_MAX)
    await db
      .insertInto('facets')
      .values(rows.slice(at, at + ROWS_MAX))
      .execute()
}
