import type { Status } from '../../model/envelope.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../ports/resource.ts'
import type { ResourceRow } from './tables.ts'

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
