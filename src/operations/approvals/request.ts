import type { Permission, Principal } from '../../access/principal.ts'
import { permits, UNPLACED } from '../../access/roles.ts'
import { canonicalJson, contentHash } from '../../base/canonical.ts'
import { toTime } from '../../base/clock.ts'
import type { ChangeRequest } from '../../model/approval.ts'
import type { ResourceType } from '../../model/common.ts'
import type { ChangeRequestFacts, RequestTouch } from '../../store/ports/change-requests.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Vault } from '../../vault/vault.ts'
import type { DiffEntry, Operation, WriteOptions } from '../define.ts'
import { isKind } from '../kinds.ts'
import { touchedBy } from '../sight.ts'

/** So long a change request waits. */
export const WAITS_MS = 7 * 86_400_000

/** Something that no rollback undoes, and exactly what of it. */
export interface Foretold {
  readonly type: 'keys' | 'records'
  readonly of: unknown
}

/** What an operation was found to do that has to wait. */
export interface Held {
  readonly rules: readonly string[]
  readonly diff: readonly DiffEntry[]
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
  readonly held: Held
  readonly resource: ChangeRequest['resource']

  constructor(held: Held, resource: ChangeRequest['resource']) {
    super('This waits for approval.')
    this.name = 'MustWait'
    this.held = held
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
  operation: Operation,
  input: unknown,
  { mode, confirm, expectedRevision }: WriteOptions,
  vault: Pick<Vault, 'fingerprint'>,
): string {
  const named = `${operation.resource}.${operation.action}`
  return vault.fingerprint(canonicalJson(['change request', named, input, mode, confirm, expectedRevision]))
}

/**
 * Tells whether the same call would do the same again: the same resources at the same revisions, with the same
 * differences, and referring to the same others, whatever these are called now. Ids and times are drawn anew each time.
 */
export function baseOf({ diff, touches, stored, foretold }: Held): string {
  if (foretold.length > 0) return baseOfForetold(foretold)
  const made = touches.flatMap(({ revision, id }) => (revision === null && id !== null ? [id] : []))
  const drawn = touches.flatMap(({ revision, slug, id }) =>
    revision === null && slug !== null && id !== null && slug.endsWith(id.slice(-8)) ? [slug] : [],
  )
  const known = touches.map(({ type, id, slug, revision }) => [type, revision === null ? slug : id, revision])
  let text = canonicalJson([known, diff])
    .replaceAll(/\b[a-z]{3}_[0-9a-z]{26}\b/g, 'id')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
  const order = new Map(made.map((id, index) => [id, `made ${index}`]))
  let kept = canonicalJson(stored)
    .replaceAll(/\b[a-z]{3}_[0-9a-z]{26}\b/g, (id) => order.get(id) ?? id)
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
  for (const slug of drawn) {
    text = text.replaceAll(slug, 'slug')
    kept = kept.replaceAll(slug, 'slug')
  }
  return contentHash([known.filter(([, , revision]) => revision !== null), text, kept])
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
    const touched = isKind(type)
      ? await touchedBy({ type: type as ResourceType, id: id ?? '', parent, spec: { tags } }, whole)
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

/** A change request as callers read it. */
export function viewOfRequest(request: ChangeRequestFacts, now: number): ChangeRequest {
  const { id, state, operation, resource, requester, rules, reason, diff, base_revision, repeats } = request
  const { created_at, expires_at, decided_at, decided_by, decision_reason, config_revision } = request
  return {
    id,
    state: isPending(request) && expires_at <= now ? 'expired' : state,
    operation,
    resource,
    requester,
    rules,
    reason,
    diff,
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

/** True for one that has not come to its end. */
export function isPending({ state }: Pick<ChangeRequestFacts, 'state'>): boolean {
  return state === 'open' || state === 'approved'
}
