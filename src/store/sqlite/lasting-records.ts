import type { LastingRecordStore, RecordStore } from '../ports/records.ts'
import { type StoreFault, StoreUnavailable, toLastingFault } from '../ports/unavailable.ts'
import { toStoreError } from './fault.ts'
import { openRecordStore } from './records.ts'
import { demandRoom, WatchedFile } from './watched-file.ts'

interface Opened {
  readonly store: RecordStore
  readonly watched: WatchedFile
}

/**
 * The records file of a process that goes on without it. A file that cannot be opened or used is tried again at each
 * probe; in the place of one that was deleted or replaced, the file that is there then is opened, or made.
 * Throws CannotStart for a file of a newer version alone.
 * @param readOnly why the file may not be opened, for the log: its directory belongs to processes that only read
 */
export function openLastingRecordStore(path: string, readOnly: string | null = null): LastingRecordStore {
  let fault: StoreUnavailable | null = null
  let its: Opened | null = null
  /** What the last probe has found of the file. */
  let seen: StoreFault | null = null
  const reopened: (() => void)[] = []

  function open(): Opened | null {
    if (readOnly !== null) {
      fault = new StoreUnavailable('read_only', `${path}: ${readOnly}`)
      return null
    }
    try {
      const store = openRecordStore(path)
      return { store, watched: new WatchedFile(path) }
    } catch (error) {
      const known = toStoreError(error instanceof Error && 'cause' in error ? error.cause : error, path)
      if (!(known instanceof StoreUnavailable)) throw error
      fault = known
      return null
    }
  }

  async function use<T>(work: (store: RecordStore) => Promise<T>): Promise<T> {
    if (its === null) throw fault ?? new StoreUnavailable('cannot_open', path)
    try {
      its.watched.demand()
      const done = work(its.store)
      // At once: what follows may be asked for before this is awaited
      its.watched.wrote()
      return await done
    } catch (error) {
      fault = toLastingFault(error) ?? fault
      throw error
    }
  }

  async function close(): Promise<void> {
    const last = its
    its = null
    await last?.store.close()
    last?.watched.setLogAside()
  }

  its = open()
  return {
    append: (blocks) => use((store) => store.append(blocks)),
    small: (...asked) => use((store) => store.small(...asked)),
    replace: (ids, block) => use((store) => store.replace(ids, block)),
    find: (...asked) => use((store) => store.find(...asked)),
    takeUpkeep: () => use((store) => store.takeUpkeep()),
    erase: (...asked) => use((store) => store.erase(...asked)),
    settle: () => use((store) => store.settle()),
    prune: (...asked) => use((store) => store.prune(...asked)),
    shrink: (...asked) => use((store) => store.shrink(...asked)),
    touch: () => use((store) => store.touch()),
    quotas: {
      shared: null,
      load: () => use((store) => store.quotas.load()),
      save: (rows) => use((store) => store.quotas.save(rows)),
      prune: (...asked) => use((store) => store.quotas.prune(...asked)),
    },
    rollups: {
      words: () => use((store) => store.rollups.words()),
      uncounted: (blocksMax) => use((store) => store.rollups.uncounted(blocksMax)),
      isCounted: (block) => use((store) => store.rollups.isCounted(block)),
      uncarried: () => use((store) => store.rollups.uncarried()),
      startingAt: (...asked) => use((store) => store.rollups.startingAt(...asked)),
      read: (keys) => use((store) => store.rollups.read(keys)),
      save: (...asked) => use((store) => store.rollups.save(...asked)),
      prune: (...asked) => use((store) => store.rollups.prune(...asked)),
    },
    get fault() {
      return fault
    },
    async probe() {
      try {
        if (fault?.fault === 'disk_full') demandRoom(path)
        const state = its?.watched.look()
        if (state !== null) {
          // Seen first, so that health tells of it; done with at the next probe
          const isNew = state !== undefined && seen !== state
          seen = state ?? null
          if (isNew) its?.watched.demand()
          seen = null
          await close()
          its = open()
          if (its === null) return
          fault = null
          for (const listener of reopened) listener()
        }
        await use((store) => store.touch())
        // That a page can be written does not repair the others
        if (fault?.fault !== 'damaged') fault = null
      } catch (error) {
        fault =
          error instanceof StoreUnavailable
            ? error
            : new StoreUnavailable('cannot_open', String(error), error)
      }
    },
    whenReopened(listener) {
      reopened.push(listener)
    },
    // No other process writes to the file
    whenUpkeepChanged() {},
    close,
  }
}
