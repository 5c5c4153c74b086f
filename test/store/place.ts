import type { AuditEntry } from '../../src/model/access/audit.ts'
import { CHAIN_START, type MarkedPlace } from '../../src/store/ports/audit-chain.ts'
import type { ConfigStore } from '../../src/store/ports/config.ts'
import type { Resource } from '../../src/store/ports/resource.ts'
import type { Tamper } from '../support/tamper.ts'

/** Where one store lies. It outlives the process that opens it. */
export interface Place {
  /** One process at a time has the store: it is not opened a second time while it is open. */
  readonly isOfOneProcess: boolean
  /** Opens the store, which is empty the first time. @param environment stands in audit entries */
  open(environment?: string | null): Promise<ConfigStore>
  tamper(): Promise<Tamper>
}

/** An engine that the suite runs on: makes places that nothing else uses. */
export type MakePlace = () => Promise<Place>

export const LINK_KEY = new Uint8Array(32).fill(1)

/** Gives a store a key, and a mark at the end of its trail. Returns the places that the mark moves to. */
export async function sealed(store: ConfigStore): Promise<MarkedPlace[]> {
  const moves: MarkedPlace[] = []
  let place: MarkedPlace = { seq: 0, hash: CHAIN_START, ...(await store.read.lastAuditLink()), revision: 0 }
  store.sealTrail({
    linkKey: LINK_KEY,
    mark: {
      get place() {
        return place
      },
      async move(to) {
        place = to
        moves.push(to)
      },
    },
  })
  return moves
}

export function policy(id: string, slug: string): Resource {
  return {
    type: 'policies',
    id,
    slug,
    parent: null,
    name: slug,
    status: null,
    key: null,
    revision: 1,
    spec: { name: slug, tags: ['a'], active: true },
    draft: null,
    created_at: '2026-01-01T00:00:00.000Z',
    created_by: 'test',
    updated_at: '2026-01-01T00:00:00.000Z',
    updated_by: 'test',
    managed_by: null,
  }
}

export function entry(id: string, its: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id,
    time: '2026-01-01T00:00:00.000Z',
    environment: null,
    actor: { id: 'a', type: 'system', name: 'a', auth_method: 'none' },
    agent: { name: null, version: null, session_id: null, conversation_id: null },
    surface: 'system',
    operation: 'policies.create',
    action: 'CREATE',
    resource: { type: 'policy', id: null, slug: null, collection: null },
    revision_before: null,
    revision_after: null,
    config_revision: null,
    diff: [],
    reason: '100% sure_thing',
    approver: null,
    http: null,
    ip: null,
    user_agent: null,
    request_id: null,
    outcome: 'ok',
    error: null,
    detail: null,
    count: 1,
    ...its,
  }
}

/** A row as a plain object: engines may answer with objects of another prototype. */
export function plain<T extends object>(row: T | undefined): T | undefined {
  return row && { ...row }
}
