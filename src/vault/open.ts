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
 * not hold the key the data is sealed with; and when everything would be sealed with a key that other nodes lack.
 * @param otherNodes names of the nodes that use the store beside this one
 */
export async function openVault(
  store: ConfigStore,
  keyFile: string,
  otherNodes: () => Promise<readonly string[]> = async () => [],
): Promise<Vault> {
  const found = await store.read.meta(CANARY)
  const vault = createVault(loadKeys(keyFile, found === undefined), keyStore(keyFile))
  // Of two nodes that begin a store at the same time, the first one's key is that of the store
  const canary = found ?? (await store.write((writer) => begin(writer, vault)))
  if (!vault.opensCanary(canary))
    throw new CannotStart(
      `The key file ${keyFile} does not contain the key ${keyIdOf(canary)}, with which the secrets are encrypted. Restore the right file, or set POSTERN_KEY_FILE.`,
    )
  if (!(await isRotationUnfinished(store.read, vault))) return vault
  const others = await otherNodes()
  if (others.length > 0)
    throw new CannotStart(
      `The key file ${keyFile} begins with the key ${vault.keys()[0]!.id}, and the secrets are encrypted with the key ${keyIdOf(canary)}. They cannot be encrypted again while other nodes use the database: ${others.join(', ')}. Stop these nodes first, or start with the key file that they have.`,
    )
  await store.write(async (writer) => {
    await resealSecrets(writer, vault)
    // They hold what was sealed before
    await writer.doubtFragments()
  })
  return vault
}

/** Writes the text that proves the key later, or finds that of another node. */
async function begin(writer: ConfigWriter, vault: Vault): Promise<string> {
  const found = await writer.meta(CANARY)
  if (found !== undefined) return found
  const canary = vault.canary()
  await writer.setMeta(CANARY, canary)
  return canary
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
