/** Unsaved changes of this browser, by workflow, so that a closed tab loses nothing. They never leave the browser. */
import type { Json } from '../../../build/document.ts'

export interface Draft {
  /** Revision that the changes were made to. */
  readonly revision: number
  readonly content: Json
}

const STORE = 'drafts'

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('postern-workflows', 1)
    request.onupgradeneeded = () => request.result.createObjectStore(STORE)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('This browser cannot store drafts.'))
  })
}

async function ask<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await open()
  try {
    return await new Promise<T>((resolve, reject) => {
      const request = act(database.transaction(STORE, mode).objectStore(STORE))
      request.onsuccess = () => resolve(request.result as T)
      request.onerror = () => reject(request.error ?? new Error('This browser cannot store drafts.'))
    })
  } finally {
    database.close()
  }
}

/** The draft of a workflow; null if there is none, or the browser keeps none. */
export async function readDraft(key: string): Promise<Draft | null> {
  try {
    return (await ask<Draft | undefined>('readonly', (store) => store.get(key))) ?? null
  } catch {
    return null
  }
}

/** Keeps a draft; null drops it. */
export async function writeDraft(key: string, draft: Draft | null): Promise<void> {
  try {
    await ask('readwrite', (store) => (draft === null ? store.delete(key) : store.put(draft, key)))
  } catch {
    // A browser without storage keeps the changes for as long as the page is open
  }
}
