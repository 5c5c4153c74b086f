import { CannotStart } from '../base/cannot-start.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { loadKeys } from './keys.ts'
import { createVault, type Vault } from './vault.ts'

const CANARY = 'vault_canary'

/** As {@link openVault}, with no store to hold the key against; secrets that it does not open fail closed. */
export function openVaultAlone(keyFile: string): Vault {
  return createVault(loadKeys(keyFile, false))
}

/**
 * Opens the vault of a data directory, making the key file on first start. Throws CannotStart when the file is
 * missing after that, unreadable, open to others, malformed, or not the key the data is sealed with.
 */
export async function openVault(store: ConfigStore, keyFile: string): Promise<Vault> {
  const canary = await store.read.meta(CANARY)
  const vault = createVault(loadKeys(keyFile, canary === undefined))
  if (canary === undefined) await store.write((writer) => writer.setMeta(CANARY, vault.canary()))
  else if (!vault.opensCanary(canary))
    throw new CannotStart(
      `The key file ${keyFile} is not the one that the secrets are sealed with; restore the right one, or set POSTERN_KEY_FILE.`,
    )
  return vault
}
