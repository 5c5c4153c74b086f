import type { Kysely } from 'kysely'
import type { AuditEntry } from '../../model/access/audit.ts'
import { keyedLink, linkedValues } from '../ports/audit-chain.ts'
import type { ConfigWriter } from '../ports/config.ts'
import { createAccessRequestWriter, endRequestsAbout } from './access-requests.ts'
import { auditFiltersOf, mendAuditFilters, putAuditFilters } from './audit-filters.ts'
import { createChangeRequestWriter } from './change-requests.ts'
import { createReader } from './config-read.ts'
import { ROWS_MAX } from './dialect.ts'
import type { Engine } from './engine.ts'
import { changeFacets, insertFacets } from './facets.ts'
import { createFragmentWriter } from './fragments.ts'
import { createOAuthWriter } from './oauth.ts'
import { toResourceRow } from './resource-list.ts'
import { createRevisionWriter } from './revisions.ts'
import type { ConfigTables } from './tables.ts'
import type { TrailEnd } from './trail-end.ts'

type Db = Kysely<ConfigTables>

/** Reads and writes inside of the transaction that `db` is. @param trail null before the store has its key */
export function createWriter(
  db: Db,
  engine: Pick<Engine, 'dialect' | 'joinOAuth'>,
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
    ...createFragmentWriter(db, setMeta),
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
    putSetUpLink: async ({ user, ...link }, now) => {
      await db.deleteFrom('set_up_links').where('expires_at', '<=', now).execute()
      await db
        .deleteFrom('set_up_links')
        .where((eb) => (user === null ? eb('user_id', 'is', null) : eb('user_id', '=', user)))
        .where('purpose', '=', link.purpose)
        .execute()
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
      await db.updateTable('access_tokens').set({ last_used_at: at }).where('id', '=', id).execute()
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
      const before = trail.expect(await reader.lastAuditLink())
      // The number follows the last link: a gap would look like a removed entry
      const seq = before.seq + 1
      const row = { seq, ...toAuditRow({ ...entry, environment }, collectionSlug) }
      await db.insertInto('audit').values(row).execute()
      await putAuditFilters(db, { seq, ...auditFiltersOf(entry) })
      const hash = keyedLink(trail.linkKey, before.hash, linkedValues(row))
      await db.insertInto('audit_chain').values({ seq, hash }).execute()
      trail.add({ seq, hash })
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
