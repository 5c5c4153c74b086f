import { contentHash } from '../base/canonical.ts'
import { Secret } from '../base/secret.ts'
import type { SecretReference } from '../model/secret.ts'
import { keyIdOf } from '../vault/envelope.ts'
import type { SecretSources } from '../vault/sources.ts'
import type { Vault } from '../vault/vault.ts'
import type { CredentialFragment, FragmentKey, SnapshotDelta } from './fragments.ts'

/**
 * Credentials whose secrets are read elsewhere, on their way to the gateway threads: the main thread reads, seals what
 * it read as it would a stored secret, and sends the fragment. What is kept on disk holds references alone.
 */
export interface References {
  /**
   * Sends a delta as the threads get it. What the vault must be asked for follows once it was, which is bounded in
   * time; the fragment that a thread has is in force until then, so that a new path drops no request.
   */
  publish(delta: SnapshotDelta): Promise<{ readonly pending: boolean }>
  /** A first delta with everything that can be read. */
  whole(delta: SnapshotDelta): Promise<SnapshotDelta>
  /** Reads everything again, and sends what has changed. */
  refresh(): Promise<{ readonly pending: boolean }>
  /** One credential with its secrets, whether it is published or not. */
  resolve(fragment: CredentialFragment): Promise<CredentialFragment>
  /** Why secrets of a credential cannot be read, as a sentence; null when they can. */
  faultOf(id: string): string | null
}

interface HeldCredential {
  readonly raw: CredentialFragment
  /** Of what was read, so that the same gives the same fragment. */
  mark: string
  sent: CredentialFragment | null
}

/** @param send takes deltas to the threads in the order in which it is called, and starts at once. */
export function createReferences(
  vault: Vault,
  sources: SecretSources,
  send: (delta: SnapshotDelta) => Promise<{ readonly pending: boolean }>,
): References {
  const held = new Map<FragmentKey, HeldCredential>()
  let revision = 0

  /** The fragment with what is known now; null when something must be fetched first. */
  function filled(
    raw: CredentialFragment,
  ): { readonly mark: string; readonly make: () => CredentialFragment } | null {
    const texts: [string, string][] = []
    const marks: string[] = []
    let fault = ''
    for (const [field, reference] of Object.entries(raw.references ?? {})) {
      const found = sources.peek(reference)
      if (found === null) return null
      if (found.ok) {
        texts.push([field, found.text])
        marks.push(vault.fingerprint(found.text))
      } else if (fault === '') fault = `${field}: ${found.reason}`
    }
    if (fault !== '') return { mark: fault, make: () => ({ ...raw, unresolved: fault }) }
    const seal = ([field, text]: [string, string]) => [field, vault.seal(new Secret(text), raw.id, field)]
    return {
      // Another key of the vault seals it anew
      mark: JSON.stringify([keyIdOf(vault.canary()), ...marks]),
      make: () => ({ ...raw, sealed: { ...raw.sealed, ...Object.fromEntries(texts.map(seal)) } }),
    }
  }

  const bare = (raw: CredentialFragment): CredentialFragment => ({
    ...raw,
    unresolved: 'the vault has not answered',
  })

  /** What is to be sent of an entry now; null when that was sent already, or must be fetched first. */
  function due(entry: HeldCredential, isLast: boolean): CredentialFragment | null {
    const known = filled(entry.raw)
    if (known === null && !isLast) return null
    const mark = known === null ? 'not fetched' : known.mark
    if (entry.sent !== null && entry.mark === mark) return null
    entry.mark = mark
    entry.sent = known === null ? bare(entry.raw) : known.make()
    return entry.sent
  }

  const referencesOf = (entries: Iterable<HeldCredential>): SecretReference[] =>
    [...entries].flatMap(({ raw }) => Object.values(raw.references ?? {}))

  const readAll = (): Promise<void> => sources.refresh(referencesOf(held.values()))

  /** What of the entries has changed. What was published since they were taken is none of it. */
  function changesOf(entries: readonly (readonly [FragmentKey, HeldCredential])[]): SnapshotDelta | null {
    const put = entries.flatMap(([key, entry]) => {
      const fragment = held.get(key) === entry ? due(entry, true) : null
      return fragment === null ? [] : [{ key, hash: contentHash(fragment), fragment }]
    })
    return put.length === 0 ? null : { revision, full: false, put, drop: [] }
  }

  /** The delta as far as it is known, and whether more is to follow. */
  function known(delta: SnapshotDelta): { readonly now: SnapshotDelta; readonly isWaiting: boolean } {
    revision = delta.revision
    if (delta.full) held.clear()
    for (const key of delta.drop) held.delete(key)
    let isWaiting = false
    const put = delta.put.flatMap((entry) => {
      const { fragment } = entry
      if (fragment.kind !== 'credential') return [entry]
      if (fragment.references === undefined) {
        held.delete(entry.key)
        return [entry]
      }
      const mine: HeldCredential = { raw: fragment, mark: '', sent: null }
      held.set(entry.key, mine)
      const sent = due(mine, false)
      isWaiting ||= sent === null
      return sent === null ? [] : [{ key: entry.key, hash: contentHash(sent), fragment: sent }]
    })
    // With what has changed elsewhere: once this holds, nothing is sealed with a key that is dropped then
    const named = new Set(delta.put.map(({ key }) => key))
    for (const [key, entry] of held) {
      const sent = named.has(key) ? null : due(entry, false)
      if (sent !== null) put.push({ key, hash: contentHash(sent), fragment: sent })
    }
    return { now: { ...delta, put }, isWaiting }
  }

  async function refresh(): Promise<{ readonly pending: boolean }> {
    const entries = [...held.entries()]
    await readAll()
    // Sent before anything else can be published: an older fragment must not follow a newer one
    const delta = changesOf(entries)
    return delta === null ? { pending: false } : send(delta)
  }

  return {
    async publish(delta) {
      const { now, isWaiting } = known(delta)
      const first = send(now)
      const rest = isWaiting ? await refresh() : { pending: false }
      return { pending: (await first).pending || rest.pending }
    },
    async whole(delta) {
      const { now, isWaiting } = known(delta)
      if (isWaiting) await readAll()
      const rest = isWaiting ? changesOf([...held.entries()]) : null
      return { ...now, put: [...now.put, ...(rest?.put ?? [])] }
    },
    refresh,
    async resolve(fragment) {
      if (fragment.references === undefined) return fragment
      // With those that are held: the sources forget what nobody refers to.
      await sources.refresh([...referencesOf(held.values()), ...Object.values(fragment.references)])
      return filled(fragment)?.make() ?? bare(fragment)
    },
    faultOf: (id) => held.get(`credential:${id}`)?.sent?.unresolved ?? null,
  }
}
