import type { Kysely } from 'kysely'
import type {
  AccessRequestReader,
  AccessRequestWriter,
  StoredAccessRequest,
} from '../ports/access-requests.ts'
import { keysetOf } from '../ports/time-order.ts'
import { ROWS_MAX } from './dialect.ts'
import type { ConfigTables } from './tables.ts'

type Db = Kysely<ConfigTables>
type Row = ConfigTables['access_requests']

/** Reads the requests for access that are kept. */
export function createAccessRequestReader(db: Db): AccessRequestReader {
  return {
    accessRequest: async (id) => {
      const row = await db.selectFrom('access_requests').selectAll().where('id', '=', id).executeTakeFirst()
      return row && toRequest(row)
    },
    accessRequests: async ({ limit, order = 'oldest', after, requester, client, state, now }) => {
      const { beyond, direction } = keysetOf(order)
      let query = db.selectFrom('access_requests').selectAll()
      if (after !== undefined) query = query.where('id', beyond, after)
      if (requester !== undefined) query = query.where('requester', '=', requester)
      if (client !== undefined) query = query.where('client', '=', client)
      if (state === 'open') query = query.where('state', '=', 'open').where('expires_at', '>', now)
      else if (state === 'expired')
        query = query.where((eb) =>
          eb.or([
            eb('state', '=', 'expired'),
            eb.and([eb('state', '=', 'open'), eb('expires_at', '<=', now)]),
          ]),
        )
      else if (state !== undefined) query = query.where('state', '=', state)
      return (await query.orderBy('id', direction).limit(limit).execute()).map(toRequest)
    },
  }
}

/** Writes them, inside of the transaction that `db` stands in. */
export function createAccessRequestWriter(db: Db): AccessRequestWriter {
  return {
    putAccessRequest: async (request, since) => {
      const old = db.selectFrom('access_requests').select('id').where('created_at', '<', since)
      await db.deleteFrom('access_request_collections').where('request_id', 'in', old).execute()
      await db.deleteFrom('access_requests').where('created_at', '<', since).execute()
      const row = { ...request, collections: JSON.stringify(request.collections) }
      await db
        .insertInto('access_requests')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
      await putCollections(db, request)
    },
  }
}

async function putCollections(db: Db, { id, collections }: StoredAccessRequest): Promise<void> {
  await db.deleteFrom('access_request_collections').where('request_id', '=', id).execute()
  const rows = [...new Set(collections)].map((collection_id) => ({ request_id: id, collection_id }))
  for (let at = 0; at < rows.length; at += ROWS_MAX)
    await db
      .insertInto('access_request_collections')
      .values(rows.slice(at, at + ROWS_MAX))
      .execute()
}

/** Ends what is still asked by a resource that goes, or for it. */
export async function endRequestsAbout(db: Db, id: string): Promise<void> {
  await db
    .updateTable('access_requests')
    .set({ state: 'expired', reason: 'The requester, the client or a collection was deleted.' })
    .where('state', '=', 'open')
    .where((eb) =>
      eb.or([
        eb('client', '=', id),
        eb('requester', '=', id),
        eb(
          'id',
          'in',
          eb.selectFrom('access_request_collections').select('request_id').where('collection_id', '=', id),
        ),
      ]),
    )
    .execute()
}

function toRequest({ collections, state, ...row }: Row): StoredAccessRequest {
  // Only putAccessRequest and endRequestsAbout write these columns
  return {
    ...row,
    collections: JSON.parse(collections) as string[],
    state: state as StoredAccessRequest['state'],
  }
}
