/**
 * Data steps that fill what queries look in, from texts that are there. They begin by emptying it, so that a later step may run them
 * again, for instance after a new name in {@link FACETS}.
 */
import type { Kysely } from 'kysely'
import type { Fields } from '../ports/resource.ts'
import { type AuditFilters, auditFiltersIn } from '../sql/audit-filters.ts'
import { facetsOf } from '../sql/facets.ts'
import { ask, type DataStep } from './migration.ts'

/** Rows that are held at once. */
const PIECE = 500

type Tables = {
  resources: { id: string; type: string; spec: string }
  facets: { type: string; name: string; value: string; resource_id: string }
  access_requests: { id: string; collections: string }
  access_request_collections: { request_id: string; collection_id: string }
  audit: { seq: number; entry: string }
  audit_filters: AuditFilters & { seq: number }
}

/** Fills `facets` from the specs of all resources. */
export function* fillFacets(builder: Kysely<object>): DataStep {
  const db = builder.withTables<Tables>()
  yield* ask(db.deleteFrom('facets'))
  for (let after = ''; ; ) {
    const found = yield* ask(
      db
        .selectFrom('resources')
        .select(['id', 'type', 'spec'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(PIECE),
    )
    const last = found.at(-1)
    if (last === undefined) return
    after = last.id
    const rows = found.flatMap(({ spec, ...resource }) => facetsOf({ ...resource, spec: parsed(spec, {}) }))
    for (let at = 0; at < rows.length; at += PIECE)
      yield* ask(db.insertInto('facets').values(rows.slice(at, at + PIECE)))
  }
}

/** Fills `access_request_collections` from all requests for access. */
export function* fillAccessRequests(builder: Kysely<object>): DataStep {
  const db = builder.withTables<Tables>()
  yield* ask(db.deleteFrom('access_request_collections'))
  for (const { id, collections } of yield* ask(
    db.selectFrom('access_requests').select(['id', 'collections']),
  ))
    for (const collection_id of new Set(parsed<readonly string[]>(collections, [])))
      yield* ask(db.insertInto('access_request_collections').values({ request_id: id, collection_id }))
}

/** Fills `audit_filters` from all audit entries. */
export function* fillAuditFilters(builder: Kysely<object>): DataStep {
  const db = builder.withTables<Tables>()
  yield* ask(db.deleteFrom('audit_filters'))
  for (let after = 0; ; ) {
    const found = yield* ask(
      db.selectFrom('audit').select(['seq', 'entry']).where('seq', '>', after).orderBy('seq').limit(PIECE),
    )
    const last = found.at(-1)
    if (last === undefined) return
    after = last.seq
    const rows = found.map(({ seq, entry }) => ({ seq, ...auditFiltersIn(entry) }))
    yield* ask(db.insertInto('audit_filters').values(rows))
  }
}

/** A text that is no JSON has nothing to look in: reading the resource finds the fault. */
function parsed<T extends Fields | readonly string[]>(text: string, none: T): T {
  try {
    return (JSON.parse(text) as T | null) ?? none
  } catch {
    return none
  }
}
