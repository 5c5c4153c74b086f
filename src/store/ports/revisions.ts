/**
 * The transaction of a change stores the earlier state of each touched resource, for the last thousand revisions. An earlier
 * state of the configuration is computed backwards from the present one.
 */
import type { ResourceType } from '../../model/resource-types.ts'
import type { Resource } from './resource.ts'
import type { TimeOrder } from './time-order.ts'

/** Revisions of the configuration that are kept: the newest. Older ones are told by the audit trail alone. */
export const REVISIONS_KEPT = 1000

/** A revision of the whole configuration. */
export interface StoredRevision {
  readonly revision: number
  readonly time: string
  readonly actor: { readonly id: string; readonly type: string; readonly name: string }
  readonly surface: string
  readonly operation: string
  readonly reason: string | null
  readonly request_id: string
}

/** What a revision did to one resource. */
export interface RevisionItem {
  readonly id: string
  readonly type: ResourceType
  readonly slug: string
  readonly parent: string | null
  /** secrets: nothing but what is beside its fields. */
  readonly action: 'created' | 'changed' | 'removed' | 'secrets'
}

/** With the resource as it was before; null for one that was created. */
export interface RevisionImage extends RevisionItem {
  readonly before: Resource | null
}

export interface RevisionReader {
  /** Those that follow `last` in the order; the newest first unless another order is asked for. */
  revisions(
    limit: number,
    last?: number,
    order?: TimeOrder,
  ): Promise<readonly (StoredRevision & { readonly items: number })[]>
  revisionAt(revision: number): Promise<StoredRevision | undefined>
  /** At most `limit`, by type and slug. */
  revisionItems(revision: number, limit: number): Promise<readonly RevisionItem[]>
  /** The first item of each of these revisions, by type and slug; a revision without items is left out. */
  firstItems(revisions: readonly number[]): Promise<ReadonlyMap<number, RevisionItem>>
  /** The oldest that is kept; undefined without any. */
  oldestRevision(): Promise<number | undefined>
  /**
   * What has been changed after a revision, up to another where that is given, as it was at the first: null for what
   * was not there yet. Without those of which secrets alone changed.
   */
  changedSince(revision: number, upTo?: number): Promise<readonly RevisionImage[]>
}

export interface RevisionWriter {
  /** Also forgets those beyond {@link REVISIONS_KEPT}. */
  putRevision(revision: StoredRevision, images: readonly RevisionImage[]): Promise<void>
}
