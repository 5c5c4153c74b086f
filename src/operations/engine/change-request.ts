import { grantsOf } from '../../access/identities.ts'
import type { Grant, Permission, Principal } from '../../access/principal.ts'
import { intersect, permits, UNPLACED } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { canonicalJson, contentHash } from '../../base/json/canonical.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import type { GrantSpec } from '../../model/access/access.ts'
import type { ChangeRequest } from '../../model/access/approval.ts'
import { isResourceType } from '../../model/resource-types.ts'
import type {
  ChangeRequestFacts,
  RequestTouch,
  StoredChangeRequest,
} from '../../store/ports/change-requests.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Changed } from './diff.ts'
import { touchedBy } from './permission.ts'
import { fingerprinted } from './unread.ts'
import type { DiffEntry, WriteOptions } from './write-options.ts'

/** So long a change request waits. */
export const WAITS_MS = 7 * 86_400_000

/** Something that no rollback undoes, and exactly what of it. */
export interface Foretold {
  readonly type: 'keys' | 'records'
  readonly of: unknown
}

/** What an operation was found to do, as a request for it shows that. */
export interface ShownChange {
  readonly rules: readonly string[]
  readonly diff: readonly DiffEntry[]
  /** Whether the diff shows all that the change does. */
  readonly isWhole: boolean
  readonly touches: readonly RequestTouch[]
  /** What it would store of each resource that it touches, in which others are named by their ids. */
  readonly stored: readonly unknown[]
  /** What is foretold and not done; empty where nothing is. */
  readonly foretold: readonly Foretold[]
  /** A secret would be shown in the answer. */
  readonly isRevealing: boolean
}

/** Rolls the transaction back: it waits for another person. */
export class MustWait extends Error {
  readonly shown: ShownChange
  readonly resource: ChangeRequest['resource']

  constructor(shown: ShownChange, resource: ChangeRequest['resource']) {
    super('This waits for approval.')
    this.name = 'MustWait'
    this.shown = shown
    this.resource = resource
  }
}

/**
 * Under which name somebody asks. Tokens of the data directory are short-lived, so that those of one name are one
 * asker.
 */
export function askerOf({ id, name, authMethod }: Principal): string {
  return isAccount(id) ? id : `${authMethod} ${name}`
}

/** True for a user or a service identity, whose permissions can be told at any time. */
export function isAccount(id: string): boolean {
  return id.startsWith('usr_') || id.startsWith('svc_')
}

/** Tells the same call from others, and says nothing of its secrets. */
export function fingerprintOf(
  operation: { readonly resource: string; readonly action: string },
  input: unknown,
  { mode, confirm, expectedRevision }: WriteOptions,
  vault: Pick<Vault, 'fingerprint'>,
): string {
  const named = `${operation.resource}.${operation.action}`
  return vault.fingerprint(
    canonicalJson(['change request', named, fingerprinted(input), mode, confirm, expectedRevision]),
  )
}

/** Ids, and moments that are counted from now: drawn anew each time that the same is done. */
const ID = /\b[a-z]{3}_[0-9a-z]{26}\b/g
const TIME = /\b\d{4}-\d\d-\d\dT[\d:.]+Z/g

/**
 * Tells whether the same call would do the same again: the same resources at the same revisions, with the same
 * differences, and referring to the same others, whatever these are called now. What is drawn anew is told by its form,
 * since it stands in paths and texts of all kinds.
 */
export function baseOf({ diff, touches, stored, foretold }: ShownChange): string {
  if (foretold.length > 0) return baseOfForetold(foretold)
  const made = touches.filter(({ revision }) => revision === null)
  const known = touches.filter(({ revision }) => revision !== null)
  const places = new Map(made.map(({ id }, index) => [id, `made ${index}`]))
  const shown = canonicalJson([made.map(({ type, slug }) => [type, slug]), diff]).replaceAll(ID, 'id')
  const kept = canonicalJson(stored).replaceAll(ID, (id) => places.get(id) ?? id)
  let done = `${shown} ${kept}`.replaceAll(TIME, 'time')
  // A name that makes no slug gives way to the end of the id
  for (const { id, slug } of made)
    if (id !== null && slug?.endsWith(id.slice(-8))) done = done.replaceAll(slug, 'slug')
  return contentHash([known.map(({ type, id, revision }) => [type, id, revision]), done])
}

/** As {@link baseOf}, of what is only foretold: the call tells all but whom it is about. */
export function baseOfForetold(foretold: readonly Foretold[]): string {
  return contentHash(['foretold', foretold])
}

/** True when the principal may do this to everything that the request touches. */
export async function reaches(
  principal: Principal,
  permissionFor: (type: string) => Permission,
  { touches }: Pick<ChangeRequestFacts, 'touches'>,
  whole: ConfigReader,
): Promise<boolean> {
  for (const { type, id, parent, tags } of touches) {
    const touched = isResourceType(type)
      ? await touchedBy({ type, id: id ?? '', parent, spec: { tags } }, whole)
      : UNPLACED
    if (!permits(principal, permissionFor(type), touched)) return false
  }
  return true
}

/** True for whoever asked for it, and whoever may read all that it touches. */
export async function sees(
  principal: Principal,
  request: ChangeRequestFacts,
  whole: ConfigReader,
): Promise<boolean> {
  if (request.asker === askerOf(principal)) return true
  return reaches(principal, (type): Permission => `${type}:read`, request, whole)
}

/** The state of a request at a moment. */
export function stateAt(
  { state, expires_at }: Pick<ChangeRequestFacts, 'state' | 'expires_at'>,
  now: number,
): ChangeRequest['state'] {
  const isPending = state === 'open' || state === 'approved'
  return isPending && expires_at <= now ? 'expired' : state
}

/** Characters of JSON of the differences that stand in a change request itself. */
const SHOWN_CHARS_MAX = 16_384

function firstOf(diff: ChangeRequest['diff']): ChangeRequest['diff'] {
  let chars = 0
  const end = diff.findIndex((entry) => {
    chars += JSON.stringify(entry).length
    return chars > SHOWN_CHARS_MAX
  })
  return end === -1 ? diff : diff.slice(0, end)
}

/** A change request as callers read it. */
export function viewOfRequest(request: ChangeRequestFacts, now: number): ChangeRequest {
  const { id, operation, resource, requester, rules, reason, diff, base_revision, repeats } = request
  const { created_at, expires_at, decided_at, decided_by, decision_reason, config_revision } = request
  return {
    id,
    state: stateAt(request, now),
    operation,
    // Requests of earlier versions were stored without a parent
    resource: { ...resource, parent: resource.parent ?? null },
    requester,
    rules,
    reason,
    diff: firstOf(diff),
    diff_entries: diff.length,
    base_revision,
    repeats,
    created_at: toTime(created_at),
    expires_at: toTime(expires_at),
    decided_at: decided_at === null ? null : toTime(decided_at),
    decided_by,
    decision_reason,
    config_revision,
  }
}

/** What a change touches, as a request for it says it. */
export function touchesOf(changes: readonly Pick<Changed, 'before' | 'after'>[]): readonly RequestTouch[] {
  return changes.flatMap(({ before, after }) => {
    const { type, id, slug, parent, spec } = (before ?? after)!
    // What is about to be made is judged by what it belongs to
    const tags = before === null && parent !== null ? [] : tagsOf(spec)
    const touch = { type, id, slug, parent, tags, revision: before?.revision ?? null }
    const next = before === null || after === null ? tags : tagsOf(after.spec)
    const isMoved = canonicalJson(next) !== canonicalJson(tags)
    const reached =
      type === 'grants' ? [before, after].flatMap((one) => (one === null ? [] : reachOf(one))) : []
    return [touch, ...(isMoved ? [{ ...touch, tags: next }] : []), ...reached]
  })
}

/** What a grant is for, which is touched too: whoever it is for comes to it, or loses it. */
function reachOf({ spec }: Resource): readonly RequestTouch[] {
  // Stored by the schema of this type.
  const { collections, virtual_mcps = [], tags } = (spec as GrantSpec).scope
  const places = [...collections, ...virtual_mcps]
  if (places.length > 0) return places.map((parent) => ({ ...besides('proxies', null), parent }))
  const parts = tags.length === 0 ? [[]] : tags.map((tag) => [tag])
  return parts.map((part) => ({ ...besides('grants', null), tags: part }))
}

function tagsOf(spec: Fields): readonly string[] {
  return (spec['tags'] ?? []) as readonly string[]
}

/** As {@link touchesOf}, for what is no resource. */
export function besides(type: string, revision: number | null): RequestTouch {
  return { type, id: null, slug: null, parent: null, tags: [], revision }
}

/** Does what somebody else asked for and the principal approves, as whoever asked. */
export interface CarryOut {
  /** What may take long, before the transaction; refuses with change_request_outdated. */
  prepare(request: StoredChangeRequest): Promise<unknown>
  /**
   * In the transaction of the write. Refuses with change_request_outdated what would not be what was shown.
   * @returns the revision of the configuration that it became; null where it changed none
   */
  carryOut(request: StoredChangeRequest, prepared: unknown): Promise<number | null>
}

/** Whoever asked, with what they may do now. Refuses with change_request_outdated. */
export async function requesterOf(
  { requester, auth_method, ceiling }: ChangeRequestFacts,
  reader: ConfigReader,
  now: number,
): Promise<Principal> {
  const { id, type } = requester
  const account = await reader.byId(id.startsWith('svc_') ? 'service_identities' : 'users', id)
  if (account?.spec['active'] !== true)
    throw outdated(
      `the requester "${requester.name}" ${account === undefined ? 'was deleted' : 'is inactive'}.`,
    )
  const grants = await grantsOf(reader, id, now)
  const own = { id, type, name: account.slug, authMethod: auth_method, expiresAt: null }
  if (ceiling === null) return { ...own, grants }
  return { ...own, grants: intersect(grants, ceiling.map(toGrant)), unnarrowed: grants }
}

/** Grants as plain data; the inverse of {@link toGrant}. */
export function toPlainGrant({ role, scope }: Grant): Fields {
  return {
    role: typeof role === 'object' ? { permissions: [...role.permissions].sort() } : role,
    ...(scope === undefined ? {} : { scope }),
  }
}

function toGrant({ role, scope }: Fields): Grant {
  // Only toPlainGrant makes these.
  const plain = { role, scope } as { role: Grant['role'] | { permissions: string[] }; scope?: Grant['scope'] }
  const whole = typeof plain.role === 'object' ? { permissions: new Set(plain.role.permissions) } : plain.role
  return plain.scope === undefined ? { role: whole } : { role: whole, scope: plain.scope }
}

export function outdated(reason: string): Refusal {
  return refuse('change_request_outdated', { detail: `It cannot be carried out as it was shown: ${reason}` })
}
