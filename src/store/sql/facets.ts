/**
 * Facets: the values by which lists of resources are filtered, one row for each value of a member of {@link FACETS} in the
 * live spec. Rows change in the transaction that changes their resource. A filtered list reads the index of facets, in order
 * of ids.
 */
import type { Kysely } from 'kysely'
import { FACETS, type FacetName } from '../ports/facets.ts'
import type { Fields, Resource } from '../ports/resource.ts'
import { ROWS_MAX } from './dialect.ts'
import type { ConfigTables } from './tables.ts'

type Db = Kysely<ConfigTables>
type FacetRow = ConfigTables['facets']

/** The text by which a value is found; null for a value that no list asks for. */
export function facetValue(value: unknown): string | null {
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
