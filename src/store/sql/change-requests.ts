import { type Kysely, sql } from 'kysely'
import type {
  ChangeRequestFacts,
  ChangeRequestReader,
  ChangeRequestWriter,
  StoredChangeRequest,
} from '../ports/change-requests.ts'
import { keysetOf } from '../ports/time-order.ts'
import type { ConfigTables } from './tables.ts'

type Db = Kysely<ConfigTables>
type Row = ConfigTables['change_requests']

const PENDING = ['open', 'approved'] as const
/** What was sent may be large, and is read by id alone. */
const FACTS = ['id', 'state', 'asker', 'expires_at', 'entry'] as const

/** Reads change requests. */
export function createChangeRequestReader(db: Db): ChangeRequestReader {
  return {
    changeRequest: async (id) => {
      const row = await db.selectFrom('change_requests').selectAll().where('id', '=', id).executeTakeFirst()
      return row && { ...toFacts(row), sealed: row.sealed }
    },
    changeRequests: async ({ limit, order = 'newest', last, asker }) => {
      const { beyond, direction } = keysetOf(order)
      let query = db.selectFrom('change_requests').select(FACTS)
      if (last !== undefined) query = query.where('id', beyond, last)
      if (asker !== undefined) query = query.where('asker', '=', asker)
      return (await query.orderBy('id', direction).limit(limit).execute()).map(toFacts)
    },
    pendingChangeRequests: async (asker) => {
      let query = db.selectFrom('change_requests').select(FACTS).where('state', 'in', PENDING)
      if (asker !== undefined) query = query.where('asker', '=', asker)
      return (await query.orderBy('id').execute()).map(toFacts)
    },
    pendingSize: async (asker) => {
      const { size } = await db
        .selectFrom('change_requests')
        .select(sql<number | string | bigint>`coalesce(sum(length(sealed)), 0)`.as('size'))
        .where('state', 'in', PENDING)
        .where('asker', '=', asker)
        .executeTakeFirstOrThrow()
      return Number(size)
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

function toFacts({ entry, id, state, asker, expires_at }: Omit<Row, 'sealed'>): ChangeRequestFacts {
  // Only toRow writes these.
  return { ...JSON.parse(entry), id, state, asker, expires_at } as ChangeRequestFacts
}
