/** Watches the key file while the instance runs. */
import { type Stats, statSync } from 'node:fs'
import { type Probed, type StoreFault, StoreUnavailable } from '../../store/ports/unavailable.ts'
import { openVaultAlone } from '../../vault/open.ts'
import type { Vault } from '../../vault/vault.ts'

/**
 * Looks whether the next start will find the key file. A running process has its keys in memory and reads the file at no other time,
 * so that nothing else notices that the file is gone until it is too late to copy it.
 * @param vault the keys of this process
 */
export function watchKeyFile(keyFile: string, vault: Pick<Vault, 'keys'>): Probed {
  let fault: StoreUnavailable | null = null
  /** Of the file when it was last found to be right. */
  let seen = ''

  function judge(): { readonly fault: StoreFault; readonly inner: string } | null {
    let stats: Stats | undefined
    try {
      stats = statSync(keyFile, { throwIfNoEntry: false })
      if (stats === undefined) return { fault: 'missing', inner: `${keyFile} is missing` }
      const now = [stats.dev, stats.ino, stats.mode, stats.size, stats.mtimeMs, ...ids(vault)].join()
      if (now === seen) return null
      const found = new Set(ids(openVaultAlone(keyFile)))
      const lacking = ids(vault).filter((id) => !found.has(id))
      if (lacking.length > 0)
        return { fault: 'replaced', inner: `${keyFile} lacks the key ${lacking.join()}` }
      seen = now
      return null
    } catch (error) {
      return { fault: 'cannot_open', inner: `${keyFile}: ${(error as Error).message}` }
    }
  }

  return {
    get fault() {
      return fault
    },
    async probe() {
      const found = judge()
      if (found?.fault !== fault?.fault) fault = found && new StoreUnavailable(found.fault, found.inner)
    },
  }
}

function ids(vault: Pick<Vault, 'keys'>): string[] {
  return vault.keys().map(({ id }) => id)
}
