import type { Kysely } from 'kysely'
import type { ConnectionReader, ConnectionWriter, StoredConnection } from '../ports/connections.ts'
import type { OAuthArtifact, OAuthKey, OAuthReader, OAuthWriter } from '../ports/oauth.ts'
import { keysetOf } from '../ports/resource.ts'
import { type ConfigTables, ROWS_MAX } from './tables.ts'

type Db = Kysely<ConfigTables>
type ConnectionRow = ConfigTables['connections']

/** Kind of the rows that remember endings; the number of an ending is when it was, or one more than that of the last one. */
const ENDING = 'Ending'
/** No request, no link and nothing that a process was told of a grant outlasts it, milliseconds. */
const ENDING_KEPT_MS = 3_600_000

/** Reads what the authorization server keeps. */
export function createOAuthReader(db: Db): OAuthReader {
  /** The others of its kind and grant that were used. */
  const usedOfGrant = ({ kind, id, grant_id }: OAuthArtifact) =>
    db
      .selectFrom('oauth_artifacts')
      .select('id')
      .where('kind', '=', kind)
      .where('grant_id', '=', grant_id)
      .where('id', '!=', id)
      .where('used_at', 'is not', null)

  return {
    artifact: (kind, id) =>
      db
        .selectFrom('oauth_artifacts')
        .selectAll()
        .where('kind', '=', kind)
        .where('id', '=', id)
        .executeTakeFirst(),
    artifactByOther: (kind, other) =>
      db
        .selectFrom('oauth_artifacts')
        .selectAll()
        .where('kind', '=', kind)
        .where('other_id', '=', other)
        .executeTakeFirst(),
    artifactsOf: (kind, account) =>
      db
        .selectFrom('oauth_artifacts')
        .selectAll()
        .where('account_id', '=', account)
        .where('kind', '=', kind)
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
    isFollowed: async (artifact, since) => {
      const found = await usedOfGrant(artifact).where('created_at', '>=', since).executeTakeFirst()
      return found !== undefined
    },
    isOvertaken: async (artifact) => {
      const found = await usedOfGrant(artifact).where('used_at', '>', artifact.created_at).executeTakeFirst()
      return found !== undefined
    },
    countOfAccount: async (kind, account, now) => {
      const { count } = await db
        .selectFrom('oauth_artifacts')
        .select(db.fn.countAll().as('count'))
        .where('account_id', '=', account)
        .where('kind', '=', kind)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
        .executeTakeFirstOrThrow()
      return Number(count)
    },
    lastEnding: async () => {
      const last = await db
        .selectFrom('oauth_artifacts')
        .select(db.fn.max('created_at').as('number'))
        .where('kind', '=', ENDING)
        .executeTakeFirst()
      return Number(last?.number ?? 0)
    },
    hasEnded: async (what, since) => {
      const found = await db
        .selectFrom('oauth_artifacts')
        .select('id')
        .where('kind', '=', ENDING)
        .where('id', '=', what)
        .where('created_at', '>', since)
        .executeTakeFirst()
      return found !== undefined
    },
    endedSince: (number) =>
      db
        .selectFrom('oauth_artifacts')
        .select(['id', 'created_at as number'])
        .where('kind', '=', ENDING)
        .where('created_at', '>', number)
        .orderBy('created_at')
        .execute(),
    keys: async () => {
      const rows = await db.selectFrom('oauth_keys').selectAll().orderBy('created_at').orderBy('id').execute()
      // Only putKey writes this column, from an OAuthKey.
      return rows.map((row) => ({ ...row, purpose: row.purpose as OAuthKey['purpose'] }))
    },
  }
}

/** Writes it, inside of the transaction that `db` stands in. */
export function createOAuthWriter(db: Db): OAuthWriter {
  const reader = createOAuthReader(db)

  async function put(artifact: OAuthArtifact, max?: number): Promise<void> {
    await db
      .insertInto('oauth_artifacts')
      .values(artifact)
      .onConflict((conflict) => conflict.columns(['kind', 'id']).doUpdateSet(artifact))
      .execute()
    if (max !== undefined) await giveWay(db, artifact.kind, max)
  }

  return {
    ...reader,
    connections: createConnectionWriter(db),
    put,
    noteEnding: (what, now) => noteEndings(db, [what], now),
    use: async (kind, id, now) => {
      const { numUpdatedRows } = await db
        .updateTable('oauth_artifacts')
        .set({ used_at: now })
        .where('kind', '=', kind)
        .where('id', '=', id)
        .where('used_at', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows > 0
    },
    prolong: async (kind, id, now, expiresAt) => {
      await db
        .updateTable('oauth_artifacts')
        .set({ used_at: now, expires_at: expiresAt })
        .where('kind', '=', kind)
        .where('id', '=', id)
        .execute()
    },
    remove: async (kind, id) => {
      await db.deleteFrom('oauth_artifacts').where('kind', '=', kind).where('id', '=', id).execute()
    },
    endGrant: async (id, now) => {
      await db.deleteFrom('oauth_artifacts').where('kind', '=', 'Grant').where('id', '=', id).execute()
      await noteEndings(db, [id], now)
    },
    removeOfGrant: async (kind, grant) => {
      await db.deleteFrom('oauth_artifacts').where('grant_id', '=', grant).where('kind', '=', kind).execute()
    },
    removeOfAccount: async (account, now) => {
      const grants = await db
        .selectFrom('oauth_artifacts')
        .select('id')
        .where('account_id', '=', account)
        .where('kind', '=', 'Grant')
        .execute()
      await db.deleteFrom('oauth_artifacts').where('account_id', '=', account).execute()
      const ids = grants.map(({ id }) => id)
      await noteEndings(db, [account, ...ids], now)
      return ids
    },
    sweep: async (now) => {
      const last = await reader.lastEnding()
      await db
        .deleteFrom('oauth_artifacts')
        .where('expires_at', '<', now)
        .where((eb) => eb.or([eb('kind', '!=', ENDING), eb('created_at', '<', last)]))
        .execute()
    },
    putKey: async (key) => {
      await db
        .insertInto('oauth_keys')
        .values(key)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(key))
        .execute()
    },
    removeKey: async (id) => {
      await db.deleteFrom('oauth_keys').where('id', '=', id).execute()
    },
  }
}

/** Remembers endings, each under a number of its own. */
async function noteEndings(db: Db, ids: readonly string[], now: number): Promise<void> {
  const first = Math.max(now, (await createOAuthReader(db).lastEnding()) + 1)
  const nothing = { sealed: '', grant_id: null, other_id: null, account_id: null, used_at: null }
  const expires_at = now + ENDING_KEPT_MS
  const rows = [...new Set(ids)].map((id, at) => ({
    ...{ kind: ENDING, id, created_at: first + at, expires_at },
    ...nothing,
  }))
  for (let at = 0; at < rows.length; at += ROWS_MAX)
    await db
      .insertInto('oauth_artifacts')
      .values(rows.slice(at, at + ROWS_MAX))
      .onConflict((conflict) =>
        conflict.columns(['kind', 'id']).doUpdateSet((eb) => ({
          created_at: eb.ref('excluded.created_at'),
          expires_at: eb.ref('excluded.expires_at'),
        })),
      )
      .execute()
}

/** Removes the oldest of a kind until no more than `max` are left, those that were never used first. */
async function giveWay(db: Db, kind: string, max: number): Promise<void> {
  const { fn } = db
  const row = await db
    .selectFrom('oauth_artifacts')
    .select(fn.countAll().as('count'))
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow()
  const excess = Number(row.count) - max
  if (excess <= 0) return
  const oldest = await db
    .selectFrom('oauth_artifacts')
    .select('id')
    .where('kind', '=', kind)
    .orderBy((eb) => eb('used_at', 'is not', null))
    .orderBy('created_at')
    .limit(excess)
    .execute()
  for (const { id } of oldest)
    await db.deleteFrom('oauth_artifacts').where('kind', '=', kind).where('id', '=', id).execute()
}

/** Reads the connections of people at origins. */
export function createConnectionReader(db: Db): ConnectionReader {
  const all = () => db.selectFrom('connections').selectAll()
  return {
    one: async (user, origin) => {
      const row = await all().where('user', '=', user).where('origin', '=', origin).executeTakeFirst()
      return row && toConnection(row)
    },
    list: async ({ user, origin }, limit, after) => {
      let query = all()
      if (user !== undefined) query = query.where('user', '=', user)
      if (origin !== undefined) query = query.where('origin', '=', origin)
      if (after !== undefined) {
        const [lastUser, lastOrigin] = after
        query = query
          // Says nothing new, and lets the database begin there instead of at the first row
          .where('user', '>=', lastUser)
          .where((eb) => eb.or([eb('user', '>', lastUser), eb('origin', '>', lastOrigin)]))
      }
      return (await query.orderBy('user').orderBy('origin').limit(limit).execute()).map(toConnection)
    },
    byTime: async ({ user, origin }, limit, order, after) => {
      const { beyond, direction } = keysetOf(order)
      let query = all()
      if (user !== undefined) query = query.where('user', '=', user)
      if (origin !== undefined) query = query.where('origin', '=', origin)
      if (after !== undefined)
        query = query.where((eb) =>
          eb.or([
            eb('created_at', beyond, after.created_at),
            eb('created_at', '=', after.created_at).and(
              eb.or([
                eb('user', '>', after.user),
                eb('user', '=', after.user).and('origin', '>', after.origin),
              ]),
            ),
          ]),
        )
      const ordered = query.orderBy('created_at', direction).orderBy('user').orderBy('origin')
      return (await ordered.limit(limit).execute()).map(toConnection)
    },
    usable: async (origin, limit) => {
      const rows = await all()
        .where('origin', '=', origin)
        .where('state', '=', 'connected')
        .where('active', '=', 1)
        .orderBy('updated_at', 'desc')
        .limit(limit)
        .execute()
      return rows.map(toConnection)
    },
  }
}

/** Writes them, inside of the transaction that `db` stands in. */
function createConnectionWriter(db: Db): ConnectionWriter {
  const reader = createConnectionReader(db)
  return {
    ...reader,
    put: async (connection) => {
      const row = { ...connection, active: connection.active ? 1 : 0 }
      const before = await reader.one(connection.user, connection.origin)
      if (before !== undefined && before.id !== connection.id)
        await noteEndings(db, [before.id], connection.updated_at)
      await db
        .insertInto('connections')
        .values(row)
        .onConflict((conflict) => conflict.columns(['user', 'origin']).doUpdateSet(row))
        .execute()
    },
    remove: async (user, origin, now) => {
      const gone = await db
        .deleteFrom('connections')
        .where('user', '=', user)
        .where('origin', '=', origin)
        .returning('id')
        .execute()
      if (gone.length > 0) await noteEndings(db, [gone[0]!.id], now)
    },
  }
}

function toConnection(row: ConnectionRow): StoredConnection {
  // Only put writes these columns, from a StoredConnection
  return {
    ...row,
    kind: row.kind as StoredConnection['kind'],
    state: row.state as StoredConnection['state'],
    active: row.active === 1,
  }
}
