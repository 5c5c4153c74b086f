/** The rows that nodes on one database share, and their sweeping. */
import { type Clock, movedOf } from '../../../base/clock.ts'
import type { LinkBounds, LinkKind, Links, Once, OnceKind } from '../../../shared-state/ports/memory.ts'
import type { ExportStore } from '../../ports/exports.ts'
import type { NodeIdentity } from '../../ports/nodes.ts'
import type { SharedKeyRows } from '../../ports/shared-keys.ts'
import type { SharedDatabase } from './database.ts'
import { createExportRows } from './exports.ts'
import { createKeyRows } from './keys.ts'
import { createLinkRows, sweepLinkRows } from './links.ts'
import { createOnceRows, sweepOnceRows } from './once.ts'

export interface SharedRows {
  links<Value>(kind: LinkKind, bounds: LinkBounds): Links<Value>
  once(kind: OnceKind): Once
  /** @param node of this process */
  exports(node: () => NodeIdentity): ExportStore
  /** Idempotency keys. */
  readonly keys: SharedKeyRows
  /** Deletes what has ended. One node does it for all. Rejects with StoreUnavailable. @param keyBytesMax see {@link SharedKeyRows.trim} */
  sweep(keyBytesMax: number): Promise<void>
}

/** @param linkKey 32 bytes that seal what links lead to @param fault told of errors that do not mean the database */
export function createSharedRows(
  database: SharedDatabase,
  linkKey: Uint8Array,
  clock: Clock,
  fault: (error: unknown) => void,
): SharedRows {
  const moved = movedOf(clock)
  const keys = createKeyRows(database, moved)
  return {
    keys,
    links: (kind, bounds) => createLinkRows(database, kind, bounds, linkKey, moved),
    exports: (node) => createExportRows(database, node),
    once: (kind) => createOnceRows(database, kind, fault),
    async sweep(keyBytesMax) {
      await sweepLinkRows(database, moved())
      await sweepOnceRows(database, moved())
      await keys.trim(keyBytesMax)
    },
  }
}
