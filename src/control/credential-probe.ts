import { Secret } from '../base/crypto/token.ts'
import type { Trial } from '../gateway/forward/try-credential.ts'
import type { CredentialTest } from '../model/api/credential.ts'
import { toCredentialTest } from '../model/api/credential-facts.ts'
import type { CredentialProbe } from '../operations/engine/ports.ts'
import { compileCredential } from '../snapshot/compile/compile.ts'
import type { References } from '../snapshot/compile/references.ts'
import type { ConfigReader, ConfigStore } from '../store/ports/config.ts'
import type { Vault } from '../vault/vault.ts'

/** What gateway threads do with credentials. */
interface CredentialThreads {
  /** Has a thread try a credential. Rejects when no thread answers in time. */
  tryCredential(trial: Trial): Promise<CredentialTest>
  /** When credentials were last used since the threads began, by id; milliseconds since the epoch. */
  credentialUses(): Promise<ReadonlyMap<string, number>>
}

export interface CredentialProbeOptions {
  readonly vault: Vault
  readonly references: References
  /** Null while there is none: then nothing is kept. */
  readonly store: ConfigStore | null
  /** Once all of them have started. */
  readonly gateways: Promise<CredentialThreads>
}

/** When credentials were last used, by id. */
type Uses = ReadonlyMap<string, number>

/** Under this name the store keeps when credentials were last used. */
const USES = 'credential_uses'

/** What the main thread knows of credentials, and has gateway threads find out. */
export function createCredentialProbe({
  vault,
  references,
  store,
  gateways,
}: CredentialProbeOptions): CredentialProbe & {
  /** Stores when credentials were last used, where that has changed by a minute. */
  keepUses(): Promise<void>
  /**
   * User name and password of a credential of type basic; null for any other. Rejects with a sentence where the password cannot be read.
   */
  pairOf(id: string): Promise<{ readonly id: string; readonly secret: string } | null>
} {
  async function keptUses(reader: Pick<ConfigReader, 'meta'> | undefined): Promise<Map<string, number>> {
    const text = await reader?.meta(USES)
    // Written below
    return new Map(text === undefined ? [] : (JSON.parse(text) as [string, number][]))
  }

  /** Each with its latest use, here or by another process that shares the store. */
  function merged(kept: Uses, own: Uses): Map<string, number> {
    const all = new Map(kept)
    for (const [id, at] of own) all.set(id, Math.max(at, all.get(id) ?? 0))
    return all
  }

  async function uses(): Promise<Map<string, number>> {
    return merged(await keptUses(store?.read), await (await gateways).credentialUses())
  }

  return {
    async test({ fragment, secrets, at, subjectToken }) {
      const sealed = Object.entries(secrets).map(([field, text]): [string, string] => [
        field,
        vault.seal(new Secret(text), fragment.id, field),
      ])
      const whole = await references.resolve({
        ...fragment,
        sealed: { ...fragment.sealed, ...Object.fromEntries(sealed) },
      })
      const { unresolved } = whole
      if (unresolved !== undefined)
        return toCredentialTest([
          { step: 'secret', ok: false, latency_ms: 0, status: null, error: unresolved },
        ])
      return (await gateways).tryCredential({ fragment: whole, at, subjectToken })
    },
    faultOf: (id) => references.faultOf(id),
    uses,
    async pairOf(id) {
      const found = await store?.read.byId('credentials', id)
      if (store === null || found === undefined) return null
      const secrets = await store.read.secretsOf([id])
      const sealed = Object.fromEntries(secrets.map((secret) => [secret.field, secret.sealed]))
      // Stored by the schema of this type
      const { type, settings, ...read } = await references.resolve(compileCredential(found as never, sealed))
      if (type !== 'basic') return null
      if (read.unresolved !== undefined) throw new RangeError(read.unresolved)
      const password = vault.open(read.sealed['password'] ?? '', id, 'password')
      return { id: settings['username'] ?? '', secret: password.reveal() }
    },
    async keepUses() {
      if (store === null) return
      const own = await (await gateways).credentialUses()
      const kept = await keptUses(store.read)
      if (![...own].some(([id, at]) => at - (kept.get(id) ?? 0) >= 60_000)) return
      await store.write(async (writer) => {
        const all = merged(await keptUses(writer), own)
        await writer.setMeta(USES, JSON.stringify([...all]))
      })
    },
  }
}
