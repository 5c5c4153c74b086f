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

/** One page of a list; see {@link ListQuery}. One of very many resources is read in several statements. */
export async function listResources(db: Db, query: ListQuery, dialect: Dialect): Promise<Resource[]> {
  const [column] = ORDERS[query.order ?? 'oldest']
  const found: Resource[] = []
  for (let from = query; ; ) {
    const limit = Math.min(query.limit - found.length, ROWS_MAX)
    const page = await readPage(db, { ...from, limit }, dialect)
    for (const row of page) {
      found.push(toResource(row))
      await yieldThread(found.length)
    }
    const last = found.at(-1)
    if (last === undefined || page.length < limit || found.length === query.limit) return found
    from = { ...query, after: last.id, ...(column === null ? {} : { afterValue: last[column] }) }
  }
}

async function readPage(db: Db, query: ListQuery, dialect: Dialect): Promise<ResourceRow[]> {
  const { type, parent, after, afterValue, within, limit, text } = query
  const [column, direction] = ORDERS[query.order ?? 'oldest']
  const follows = direction === 'asc' ? '>' : '<'
  const [first, ...more] = conditionsOf(query)
  const eb = expressionBuilder<ConfigTables, 'resources'>()
  const rest = eb.and([
    ...(parent === undefined ? [] : [eb('resources.parent_id', '=', parent)]),
    ...more.map(([name, value]) => eb.exists(facetsHere(eb, name).where('facets.value', '=', value))),
    ...(within === undefined ? [] : [eb.or(within.map((part) => fits(eb, part)))]),
    ...(text === undefined ? [] : [holdsText(eb, text, dialect)]),
    ...(after === undefined || column === null
      ? []
      : [
          eb.or([
            eb(`resources.${column}`, follows, afterValue ?? ''),
            eb.and([eb(`resources.${column}`, '=', afterValue ?? ''), eb('resources.id', follows, after)]),
          ]),
        ]),
  ])
  if (first === undefined) {
    let all = db.selectFrom('resources').selectAll().where('type', '=', type).where(rest)
    if (column !== null) all = all.orderBy(column, direction)
    else if (after !== undefined) all = all.where('id', follows, after)
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
  if (column !== null) found = found.orderBy(`resources.${column}`, direction)
  else if (after !== undefined) found = found.where('first.resource_id', follows, after)
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
