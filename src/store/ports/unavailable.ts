/** The error of a store that cannot be used. Every interface answers it with 503 `store_unavailable`. */
import { Refusal } from '../../base/refusal.ts'

/** Why a store cannot be used. The list is closed and its order is fixed: health tells of a fault by its number. */
export const STORE_FAULTS = [
  'disk_full',
  'io_error',
  'read_only',
  'missing',
  'replaced',
  'truncated',
  'damaged',
  'locked',
  'cannot_open',
  'changed',
  'overwritten',
  'slow',
  'unreachable',
  'uncertain',
] as const
export type StoreFault = (typeof STORE_FAULTS)[number]

const SENTENCES: Readonly<Record<StoreFault, string>> = {
  disk_full: 'The disk of the store is full.',
  io_error: 'The disk of the store reports an error.',
  read_only: 'The store is read-only.',
  missing: 'The store was deleted or moved.',
  replaced: 'The file of the store was replaced by another file.',
  truncated: 'The file of the store was truncated.',
  damaged: 'The store is damaged.',
  locked: 'Another process holds the store.',
  cannot_open: 'The store cannot be opened.',
  changed:
    'Another program has changed the audit trail of the store; stop the gateway and run postern doctor.',
  overwritten: 'Another program has overwritten the file of the store.',
  slow: 'The store answers slowly.',
  unreachable: 'The database cannot be reached.',
  uncertain:
    'The connection to the database was lost at the end of the change, and it is not known whether the change was made. Read it before you repeat it.',
}

/**
 * The store cannot be read or written at the moment. Callers get 503 `store_unavailable`; the detail names the fault and
 * no path, because it also reaches unauthenticated callers.
 */
export class StoreUnavailable extends Refusal {
  readonly fault: StoreFault

  /** @param inner for the log: the file and the message of the database. */
  constructor(fault: StoreFault, inner: string, cause?: unknown) {
    super('store_unavailable', {
      detail: `${SENTENCES[fault]} ${fault === 'uncertain' ? '' : 'Nothing was changed. '}Traffic is served by the last known configuration.`,
      inner,
    })
    this.name = 'StoreUnavailable'
    this.fault = fault
    if (cause !== undefined) this.cause = cause
  }
}

/** A use failed, and the next one need not: they say nothing of the store. */
const PASSING: ReadonlySet<StoreFault> = new Set(['locked', 'slow', 'uncertain'])

/** The fault that lasts after a use has failed; null where only this use has failed, and for another error. */
export function toLastingFault(error: unknown): StoreUnavailable | null {
  return error instanceof StoreUnavailable && !PASSING.has(error.fault) ? error : null
}

/** A store that tells whether it can be used. */
export interface Probed {
  /** Why it cannot be used, by its last use or probe; null while it can. */
  readonly fault: StoreUnavailable | null
  /** Looks at the file and writes to it; takes up its use again as soon as that is possible. Never rejects. */
  probe(): Promise<void>
}
