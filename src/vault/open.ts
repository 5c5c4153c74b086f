/** Opens the vault of a data directory. */
import { CannotStart } from '../base/refusal.ts'
import type { ConfigReader, ConfigStore, ConfigWriter } from '../store/ports/config.ts'
import { keyIdOf, loadKeys, saveKeys } from './keys.ts'
import { CANARY, isRotationUnfinished, resealSecrets } from './reseal.ts'
import { CannotRotate, createVault, type KeyStore, type Vault } from './vault.ts'

/** As {@link openVault}, with no store to hold the key against; secrets that it does not open fail closed. */
export function openVaultAlone(keyFile: string): Vault {
  return createVault(loadKeys(keyFile, false), keyStore(keyFile))
}

/**
 * Opens the vault of a data directory, making the key file on first start. When the first key is not the one that
 * seals, because a rotation was cut off or somebody put a key before it, everything is sealed with it now.
 * Throws CannotStart when the file is missing after the first start, unreadable, open to others, malformed, or does
 * not hold the key the data is sealed with.
 */
export async function openVault(store: ConfigStore, keyFile: string): Promise<Vault> {
  const canary = await store.read.meta(CANARY)
  const vault = createVault(loadKeys(keyFile, canary === undefined), keyStore(keyFile))
  if (canary === undefined) await store.write((writer) => writer.setMeta(CANARY, vault.canary()))
  else if (!vault.opensCanary(canary))
    throw new CannotStart(
      `The key file ${keyFile} does not contain the key ${keyIdOf(canary)}, with which the secrets are encrypted. Restore the right file, or set POSTERN_KEY_FILE.`,
    )
  else if (await isRotationUnfinished(store.read, vault))
    await store.write(async (writer) => {
      await resealSecrets(writer, vault)
      // They hold what was sealed before
      await writer.doubtFragments()
    })
  return vault
}

/**
 * Whether a key file holds the key that a known text was sealed with. Throws CannotStart when the file is missing,
 * unreadable, open to others or malformed.
 */
export function opensCanaryOf(keyFile: string, canary: string): boolean {
  return openVaultAlone(keyFile).opensCanary(canary)
}

/** The canary as the proof that the audit trail of its store has keyed links. */
export function keyedProofOf(vault: Vault): {
  isThere(reader: ConfigReader): Promise<boolean>
  put(writer: ConfigWriter): Promise<void>
} {
  return {
    async isThere(reader) {
      const canary = await reader.meta(CANARY)
      return canary !== undefined && vault.saysKeyed(canary)
    },
    put: (writer) => writer.setMeta(CANARY, vault.canary()),
  }
}

function keyStore(file: string): KeyStore {
  const attempt = <T>(work: () => T, what: string): T => {
    try {
      return work()
    } catch (error) {
      const reason = (error as Error).message
      throw new CannotRotate(error instanceof CannotStart ? reason : `${what}: ${reason}.`, { cause: error })
    }
  }
  return {
    load: () => attempt(() => loadKeys(file, false), `The key file ${file} cannot be read`),
    save: (ring) =>
      attempt(
        () => saveKeys(file, ring),
        `The key file ${file} cannot be replaced. Make its directory writable, or add a new key as its first line and start again`,
      ),
  }
}
