/**
 * The configuration store over any SQL engine.
 * 1. Writes, consistent reads, probes and the end take turns in order of arrival (`base/threads/in-line.ts`). An engine with one
 *    connection that writes has both write lanes share these turns: a second queue would wait for that connection. One with several
 *    locks each lane for itself.
 * 2. A dry run is rolled back after its result is known.
 * 3. The order of a commit: the engine, then `committed` (what is published is kept), then the mark of the audit trail.
 */
import type { Kysely } from 'kysely'
import { createTurns } from '../../base/threads/in-line.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import {
  type AuditPlace,
  CHAIN_START,
  keyedLink,
  linkedValues,
  type MarkedPlace,
  type TrailSeal,
} from '../ports/audit-chain.ts'
import type { AuditReader, ConfigReader, ConfigStore, ConfigWriter, WriteSettings } from '../ports/config.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { auditFiltersOf, mendAuditFilters, putAuditFilters } from './audit-read.ts'
import {
  createAccessRequestWriter,
  createChangeRequestWriter,
  createReader,
  endRequestsAbout,
} from './config-read.ts'
import { createFragmentWriter } from './fragments.ts'
import { createOAuthWriter } from './oauth.ts'
import { changeFacets, insertFacets, toResourceRow } from './resource-list.ts'
import { createRevisionWriter } from './revisions.ts'
import { type ConfigTables, type Dialect, ROWS_MAX } from './tables.ts'

/** Makes the engine roll back a transaction whose work has succeeded. */
class Undo<T> extends Error {
  readonly result: T
  constructor(result: T) {
    super('rolled back on purpose')
    this.result = result
  }
}

interface Committed<T> {
  readonly result: T
  /** Resolves when the mark of the audit trail is on disk. */
  readonly marked: Promise<void> | undefined
}

/** The configuration store on an engine. @param environment stands in the audit entries that are written */
export function createConfigStore(engine: Engine, environment: string | null): ConfigStore {
  const { dialect } = engine
  const turns = createTurns()
  const oauthLane = engine.isShared ? 'oauth' : ''
  let seal: TrailSeal | null = null

  async function transaction<T>(
    work: (writer: ConfigWriter) => Promise<T>,
    settings: WriteSettings<T>,
  ): Promise<Committed<T>> {
    const trail = seal && new TrailEnd(seal, engine.isShared)
    try {
      const result = await engine.transaction('configuration', async (db) => {
        const result = await work(createWriter(db, engine, environment, trail))
        if (settings.rollback === true) throw new Undo(result)
        return result
      })
      // First: what is published is on disk before the mark says so
      await settings.committed?.(result)
      return { result, marked: trail?.committed() }
    } catch (error) {
      // Only the line above makes one, from the result of this very work.
      if (error instanceof Undo) return { result: error.result as T, marked: undefined }
      if (error instanceof StoreUnavailable && error.fault === 'changed') engine.failed(error)
      throw error
    }
  }

  /** Rejects where the trail does not end with the entry that this process knows. The mark follows what other processes have added. */
  async function expectTrail(): Promise<void> {
    if (seal === null) return
    const trail = new TrailEnd(seal, engine.isShared)
    await engine.still((db) => trail.expect(createReader(db, dialect)))
    await trail.committed()
  }

  return {
    read: createReader(engine.reading, dialect),
    isShared: engine.isShared,
    sealTrail(its) {
      seal = its
    },
    async write(work, settings = {}) {
      const { result, marked } = await turns.run(() => transaction(work, settings))
      // After its turn: meanwhile the next transaction runs, and both marks may be one write
      await marked
      return result
    },
    writeOAuth: (work) =>
      turns.run(() => engine.transaction('oauth', (db) => work(createOAuthWriter(db))), oauthLane),
    still: <T>(work: (reader: ConfigReader) => Promise<T>, done?: (result: T) => void) =>
      turns.run(async () => {
        const result = await engine.still((db) => work(createReader(db, dialect)))
        done?.(result)
        return result
      }),
    claimJob: (name, everyMs, now) =>
      turns.run(() => engine.transaction('configuration', (db) => claim(db, name, everyMs, now))),
    get fault() {
      return engine.fault
    },
    probe: () => turns.run(() => engine.probe(expectTrail)),
    async close() {
      await turns.run(async () => {}, oauthLane)
      await turns.run(() => engine.close())
    },
  }
}

/** As {@link ConfigStore.claimJob}: each of the two statements finds alone whether the claim is free. */
async function claim(db: Kysely<ConfigTables>, name: string, everyMs: number, now: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('jobs')
    .values({ name, last: now })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if ((numInsertedOrUpdatedRows ?? 0n) > 0n) return true
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({ last: now })
    .where('name', '=', name)
    .where((eb) => eb.or([eb('last', '<=', now - everyMs), eb('last', '>', now + everyMs)]))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

type Db = Kysely<ConfigTables>

/** Reads and writes inside of the transaction that `db` is. @param trail null before the store has its key */
function createWriter(
  db: Db,
  engine: Pick<Engine, 'dialect' | 'joinOAuth' | 'isShared'>,
  environment: string | null,
  trail: TrailEnd | null,
): ConfigWriter {
  const reader = createReader(db, engine.dialect)
  const setMeta = async (name: string, value: string): Promise<void> => {
    await db
      .insertInto('meta')
      .values({ name, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute()
  }
  return {
    ...reader,
    ...createRevisionWriter(db),
    ...createChangeRequestWriter(db),
    ...createAccessRequestWriter(db),
    ...createFragmentWriter(db, reader.meta, setMeta),
    joinOAuth: async () => {
      await engine.joinOAuth(db)
      return createOAuthWriter(db)
    },
    setMeta,
    insert: async (resource) => {
      await db.insertInto('resources').values(toResourceRow(resource)).execute()
      await insertFacets(db, resource)
    },
    replace: async (resource) => {
      const { id, ...row } = toResourceRow(resource)
      await changeFacets(db, id, resource)
      await db.updateTable('resources').set(row).where('id', '=', id).execute()
    },
    remove: async (id) => {
      await changeFacets(db, id, null)
      await db.deleteFrom('links').where('from_id', '=', id).execute()
      await db.deleteFrom('tokens').where('profile_id', '=', id).execute()
      await db.deleteFrom('secrets').where('owner_id', '=', id).execute()
      await db.deleteFrom('resource_state').where('resource_id', '=', id).execute()
      await db.deleteFrom('passwords').where('user_id', '=', id).execute()
      await db.deleteFrom('set_up_links').where('user_id', '=', id).execute()
      await endRequestsAbout(db, id)
      await db.deleteFrom('resources').where('id', '=', id).execute()
    },
    link: async (from, to) => {
      await db.deleteFrom('links').where('from_id', '=', from).execute()
      const rows = [...new Set(to)].map((to_id) => ({ from_id: from, to_id }))
      for (let at = 0; at < rows.length; at += ROWS_MAX)
        await db
          .insertInto('links')
          .values(rows.slice(at, at + ROWS_MAX))
          .execute()
    },
    putToken: async ({ profile, ...token }) => {
      const row = { ...token, profile_id: profile }
      await db
        .insertInto('tokens')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
    },
    putState: async (owner, part, json) => {
      if (json === null) {
        await db
          .deleteFrom('resource_state')
          .where('resource_id', '=', owner)
          .where('part', '=', part)
          .execute()
        return
      }
      await db
        .insertInto('resource_state')
        .values({ resource_id: owner, part, json })
        .onConflict((conflict) => conflict.columns(['resource_id', 'part']).doUpdateSet({ json }))
        .execute()
    },
    putSecret: async ({ owner, ...secret }) => {
      const row = { ...secret, owner_id: owner }
      await db
        .insertInto('secrets')
        .values(row)
        .onConflict((conflict) => conflict.columns(['owner_id', 'field']).doUpdateSet(row))
        .execute()
    },
    removeSecret: async (owner, field) => {
      await db.deleteFrom('secrets').where('owner_id', '=', owner).where('field', '=', field).execute()
    },
    putSchema: async (hash, json) => {
      await db
        .insertInto('schemas')
        .values({ hash, json })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },
    nextRevision: async () => {
      const next = (await reader.revision()) + 1
      await setMeta('config_revision', String(next))
      trail?.setRevision(next)
      return next
    },
    putAccessToken: async (token) => {
      const row = { owner: null, last_used_at: null, ...token, grants: JSON.stringify(token.grants) }
      await db
        .insertInto('access_tokens')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
    },
    putPassword: async (user, hash, now) => {
      const row = { user_id: user, hash, changed_at: now }
      await db
        .insertInto('passwords')
        .values(row)
        .onConflict((conflict) => conflict.column('user_id').doUpdateSet(row))
        .execute()
      await db.deleteFrom('set_up_links').where('user_id', '=', user).execute()
    },
    removePassword: async (user) => {
      await db.deleteFrom('passwords').where('user_id', '=', user).execute()
      await db.deleteFrom('set_up_links').where('user_id', '=', user).execute()
    },
    putSetUpLink: async ({ user, ...link }, now, before = null) => {
      await db.deleteFrom('set_up_links').where('expires_at', '<=', now).execute()
      // Each node of a new installation has printed one, and the first that is used ends the others
      if (link.purpose !== 'first' || !engine.isShared)
        await db
          .deleteFrom('set_up_links')
          .where((eb) => (user === null ? eb('user_id', 'is', null) : eb('user_id', '=', user)))
          .where('purpose', '=', link.purpose)
          .execute()
      else if (before !== null) await db.deleteFrom('set_up_links').where('hash', '=', before).execute()
      await db
        .insertInto('set_up_links')
        .values({ ...link, user_id: user })
        .execute()
    },
    spendSetUpLink: async ({ hash, user }) => {
      const { numDeletedRows } = await db
        .deleteFrom('set_up_links')
        .where('hash', '=', hash)
        .executeTakeFirst()
      if (user === null) await db.deleteFrom('set_up_links').where('user_id', 'is', null).execute()
      return numDeletedRows > 0n
    },
    usedPersonalToken: async (id, at) => {
      await db
        .updateTable('access_tokens')
        .set({ last_used_at: at })
        .where('id', '=', id)
        .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
        .execute()
    },
    putAnswer: async (answer, now) => {
      await db.deleteFrom('answers').where('expires_at', '<', now).execute()
      const row = { ...answer, answer: answer.answer === null ? null : JSON.stringify(answer.answer) }
      await db
        .insertInto('answers')
        .values(row)
        .onConflict((conflict) => conflict.column('scope').doUpdateSet(row))
        .execute()
    },
    putPlan: async (plan, since, max) => {
      await db.deleteFrom('plans').where('created_at', '<', since).execute()
      await db
        .insertInto('plans')
        .values({ ...plan, steps: JSON.stringify(plan.steps) })
        .execute()
      const kept = db
        .selectFrom('plans')
        .select('id')
        .where('made_by', '=', plan.made_by)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(max)
      await db.deleteFrom('plans').where('made_by', '=', plan.made_by).where('id', 'not in', kept).execute()
    },
    putApplied: async ({ resource, spec, ...applied }) => {
      const row = { ...applied, resource_id: resource, spec: JSON.stringify(spec) }
      await db
        .insertInto('applied')
        .values(row)
        .onConflict((conflict) => conflict.columns(['owner', 'address']).doUpdateSet(row))
        .execute()
    },
    removeApplied: async (owner, address) => {
      await db.deleteFrom('applied').where('owner', '=', owner).where('address', '=', address).execute()
    },
    appendAudit: async (entry, collectionSlug = null) => {
      if (trail === null) throw new Error('The audit trail has no key yet.')
      const before = await trail.expect(reader)
      // The number follows the last link: a gap would look like a removed entry
      const seq = before.seq + 1
      const row = { seq, ...toAuditRow({ ...entry, environment }, collectionSlug) }
      await db.insertInto('audit').values(row).execute()
      await putAuditFilters(db, { seq, ...auditFiltersOf(entry) })
      const hash = keyedLink(trail.linkKey, before.hash, linkedValues(row))
      await db.insertInto('audit_chain').values({ seq, hash }).execute()
      trail.add({ seq, hash })
    },
    auditEnd: async () => {
      if (trail === null) throw new Error('The audit trail has no key yet.')
      return trail.expect(reader)
    },
    mendAuditFilters: () => mendAuditFilters(db),
    putCheckpoint: async (checkpoint) => {
      await db.insertInto('audit_checkpoints').values(checkpoint).execute()
    },
    putAuditKeyAnchor: async (anchor) => {
      await db
        .insertInto('audit_key_anchor')
        .values({ one: 1, ...anchor })
        .execute()
    },
    cutAudit: async (anchor) => {
      // First: without it the triggers let nothing go
      await db.insertInto('audit_anchors').values(anchor).execute()
      for (const table of ['audit', 'audit_filters', 'audit_chain', 'audit_checkpoints'] as const)
        await db.deleteFrom(table).where('seq', '<=', anchor.seq).execute()
    },
  }
}

/** Bodies have columns of their own, so that lists do not read them. */
function toAuditRow(
  { request, response, ...entry }: AuditEntry,
  collectionSlug: string | null,
): Omit<ConfigTables['audit'], 'seq'> {
  return {
    id: entry.id,
    time: entry.time,
    actor_id: entry.actor.id,
    actor_name: entry.actor.name,
    surface: entry.surface,
    operation: entry.operation,
    action: entry.action,
    resource_type: entry.resource.type,
    resource_id: entry.resource.id,
    resource_slug: entry.resource.slug,
    collection_id: entry.resource.collection,
    collection_slug: collectionSlug,
    outcome: entry.outcome,
    entry: JSON.stringify(entry),
    approver: entry.approver?.id ?? null,
    request: toJson(request),
    response: toJson(response),
  }
}

function toJson(body: AuditEntry['request']): string | null {
  return body == null ? null : JSON.stringify(body)
}

/** The end of the audit trail in one transaction. The mark moves when the transaction is committed. */
class TrailEnd {
  readonly linkKey: Uint8Array
  readonly #mark: TrailSeal['mark']
  /** Other processes add entries too. */
  readonly #isShared: boolean
  #last: MarkedPlace

  constructor({ linkKey, mark }: TrailSeal, isShared: boolean) {
    this.linkKey = linkKey
    this.#mark = mark
    this.#isShared = isShared
    this.#last = mark.place
  }

  /**
   * Throws StoreUnavailable when the last stored link is not the last one that this process knows, or in a shared store, when it does not
   * follow from that one by entries that were linked with the key. Returns it.
   */
  async expect(reader: AuditReader): Promise<AuditPlace> {
    const found = (await reader.lastAuditLink()) ?? { seq: 0, hash: CHAIN_START }
    const { seq, hash } = this.#last
    if (found.seq === seq && found.hash === hash) return found
    if (this.#isShared && found.seq > seq && (await follows(reader, this.linkKey, this.#last, found.seq))) {
      this.add(found)
      return found
    }
    throw new StoreUnavailable(
      'changed',
      `the audit trail ends at number ${found.seq} with the link ${found.hash}, and the mark is at number ${seq} with the link ${hash}`,
    )
  }

  add(place: AuditPlace): void {
    this.#last = { ...this.#last, ...place }
  }

  setRevision(revision: number): void {
    this.#last = { ...this.#last, revision }
  }

  /** After the commit. Resolves when the mark is on disk. */
  committed(): Promise<void> {
    const { seq, revision } = this.#mark.place
    const isMoved = this.#last.seq !== seq || this.#last.revision !== revision
    return isMoved ? this.#mark.move(this.#last) : Promise.resolve()
  }
}

/** Entries that are followed at a time. */
const PIECE = 500

/**
 * Whether a trail leads from a marked place to a later number by keyed links. What retention has removed after the mark is taken from its
 * anchor: without the key, nobody makes an entry that follows another anchor. Processes call it with what others have added since they
 * last looked, which is little.
 */
async function follows(
  reader: AuditReader,
  linkKey: Uint8Array,
  marked: AuditPlace,
  upTo: number,
): Promise<boolean> {
  const removed = (await reader.auditAnchors()).at(-1)
  let at: AuditPlace = marked
  if (removed !== undefined && removed.seq >= marked.seq) {
    if (removed.seq === marked.seq && removed.hash !== marked.hash) return false
    at = removed
  } else if (marked.seq > 0) {
    const [link] = await reader.auditLinks(marked.seq - 1, 1)
    if (link?.seq !== marked.seq || link.hash !== marked.hash) return false
  }
  while (at.seq < upTo) {
    const links = await reader.auditLinks(at.seq, PIECE)
    if (links.length === 0) return false
    for (const { seq, hash, columns } of links) {
      if (seq !== at.seq + 1 || hash === null || columns === null) return false
      if (keyedLink(linkKey, at.hash, columns) !== hash) return false
      at = { seq, hash }
      await yieldThread(seq)
    }
  }
  return true
}

/**
 * Writes that wait for each other: those of the configuration and its trail, or those of OAuth. An engine with one connection that
 * writes needs no second lane.
 */
type WriteLane = 'configuration' | 'oauth'

/**
 * What {@link createConfigStore} needs of a database: connections, the policy of transactions, and its faults. The store calls
 * `transaction`, `still`, `probe` and `close` one at a time, in order of arrival; in a shared store, transactions of OAuth run beside them.
 */
export interface Engine {
  readonly dialect: Dialect
  /** Several processes write to the database, each through an engine of its own, and each lane has a lock of its own there. */
  readonly isShared: boolean
  /** For reads beside transactions. They wait for no transaction and see no unfinished one. */
  readonly reading: Kysely<ConfigTables>
  /**
   * Runs work in a transaction, alone among all that write to this store in the same lane. Commits when the work resolves: then
   * everything is on disk, and later reads see it. Undoes everything when the work rejects, and rejects with the same error. Rejects
   * with StoreUnavailable where the store cannot be used.
   */
  transaction<T>(lane: WriteLane, work: (db: Kysely<ConfigTables>) => Promise<T>): Promise<T>
  /** Enters the lane `oauth` too, in a transaction of the configuration that runs, until it ends. @param db of that transaction */
  joinOAuth(db: Kysely<ConfigTables>): Promise<void>
  /** Runs reads that see one state, with no transaction finishing in between. */
  still<T>(work: (db: Kysely<ConfigTables>) => Promise<T>): Promise<T>
  /** Told when the store turned out not to be as this process left it. */
  failed(error: StoreUnavailable): void
  /** As of {@link Probed}. */
  readonly fault: StoreUnavailable | null
  /** Finds out whether the store can be used, and sets `fault`. Never rejects. @param check rejects where the content is not as it should be */
  probe(check: () => Promise<void>): Promise<void>
  close(): Promise<void>
}
