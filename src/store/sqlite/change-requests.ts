import type { Kysely } from 'kysely'
import type {
  ChangeRequestReader,
  ChangeRequestWriter,
  StoredChangeRequest,
} from '../ports/change-requests.ts'
import type { ConfigTables } from './tables.ts'

type Db = Kysely<ConfigTables>
type Row = ConfigTables['change_requests']

const PENDING = ['open', 'approved'] as const

/** Reads change requests. */
export function createChangeRequestReader(db: Db): ChangeRequestReader {
  return {
    changeRequest: async (id) => {
      const row = await db.selectFrom('change_requests').selectAll().where('id', '=', id).executeTakeFirst()
      return row && toRequest(row)
    },
    changeRequests: async ({ limit, before }) => {
      let query = db.selectFrom('change_requests').selectAll()
      if (before !== undefined) query = query.where('id', '<', before)
      return (await query.orderBy('id', 'desc').limit(limit).execute()).map(toRequest)
    },
    pendingChangeRequests: async (asker) => {
      let query = db.selectFrom('change_requests').selectAll().where('state', 'in', PENDING)
      if (asker !== undefined) query = query.where('asker', '=', asker)
      return (await query.orderBy('id').execute()).map(toRequest)
    },
  }
}

/** Writes them, inside of the transaction that `db` stands in. */
export function createChangeRequestWriter(db: Db): ChangeRequestWriter {
  return {
    putChangeRequest: async (request) => {
      const row = toRow(request)
      await db
        .insertInto('change_requests')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
    },
    forgetChangeRequests: async (before) => {
      await db
        .deleteFrom('change_requests')
        .where('state', 'not in', PENDING)
        .where('expires_at', '<', before)
        .execute()
    },
  }
}

function toRow({ id, state, asker, expires_at, sealed, ...entry }: StoredChangeRequest): Row {
  return { id, state, asker, expires_at, sealed, entry: JSON.stringify(entry) }
}

function toRequest({ entry, state, ...columns }: Row): StoredChangeRequest {
  // Only toRow writes these.
  return { ...JSON.parse(entry), ...columns, state } as StoredChangeRequest
}
