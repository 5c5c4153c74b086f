/** Fills secrets that are read elsewhere (environment, files, a vault) into fragments on their way to the gateway threads. */
import { Secret } from '../../base/crypto/token.ts'
import { contentHash } from '../../base/json/canonical.ts'
import type { SecretReference } from '../../model/api/secret.ts'
import type { SecretSources } from '../../vault/sources.ts'
import type { Vault } from '../../vault/vault.ts'
import type { CollectionFragment, CredentialFragment, FragmentKey } from '../fragments.ts'
import { partsOfPlace } from '../link/headers.ts'
import {
  FragmentText,
  mayRefer,
  type PackedSnapshot,
  REFERRING_KINDS,
  type TextDelta,
} from '../packed-fragments.ts'

/**
 * Credentials, and collections with headers, whose secrets are read elsewhere, on their way to the gateway threads: the main thread reads, seals what
 * it read as it would a stored secret, and sends the fragment. What is kept on disk holds references alone. All other fragments pass
 * as the text that they are stored as: those of kinds that cannot refer are not parsed.
 */
export interface References {
  /**
   * Sends a delta as the threads get it. What the vault must be asked for follows once it was, which is bounded in
   * time; the fragment that a thread has is in force until then, so that a new path drops no request.
   */
  publish(delta: TextDelta): Promise<{ readonly pending: boolean }>
  /** The first configuration with everything that can be read. */
  whole(first: PackedSnapshot): Promise<PackedSnapshot>
  /** Reads everything again, and sends what has changed. */
  refresh(): Promise<{ readonly pending: boolean }>
  /** One credential with its secrets, whether it is published or not. */
  resolve(fragment: CredentialFragment): Promise<CredentialFragment>
  /** Why secrets of a credential cannot be read, as a sentence; null when they can. */
  faultOf(id: string): string | null
}

type Referring = CredentialFragment | CollectionFragment

interface Held {
  readonly raw: Referring
  /** Of the fragment as it is kept, with references alone. */
  readonly hash: string
  sent: { readonly hash: string; readonly fragment: Referring } | null
}

/** What was read of a fragment: sealed, and why some of it could not be. By field, or place of a header. */
interface Read {
  /** Equal for equal secrets under the same key of the vault. By place. */
  readonly marks: Readonly<Record<string, string>>
  seal(): Readonly<Record<string, string>>
  readonly faults: Readonly<Record<string, string>>
}

/** @param send takes deltas to the threads in the order in which it is called, and starts at once. */
export function createReferences(
  vault: Vault,
  sources: SecretSources,
  send: (delta: TextDelta) => Promise<{ readonly pending: boolean }>,
): References {
  const held = new Map<FragmentKey, Held>()
  let revision = 0

  /** What is known now; null when something must be fetched first. @param isLast that is not waited for any more */
  function read(raw: Referring, isLast: boolean): Read | null {
    const texts: [string, string][] = []
    const marks: Record<string, string> = {}
    const faults: Record<string, string> = {}
    for (const [place, reference] of Object.entries(raw.references ?? {})) {
      const found = sources.peek(reference) ?? (isLast ? UNANSWERED : null)
      if (found === null) return null
      if (found.ok) texts.push([place, found.text])
      else faults[place] = found.reason
      marks[place] = found.ok ? `text ${vault.fingerprint(found.text)}` : `fault ${found.reason}`
    }
    const seal = ([place, text]: [string, string]): [string, string] => {
      const [owner, field] = raw.kind === 'credential' ? [raw.id, place] : partsOfPlace(place)
      return [place, vault.seal(new Secret(text), owner, field)]
    }
    return {
      marks,
      seal: () => Object.fromEntries(texts.map(seal)),
      faults,
    }
  }

  /**
   * The fragment of an entry to send now; empty if it was sent already, or must be fetched first. The hash is of the
   * secrets and not of their ciphertexts, which differ at each sealing. Another key of the vault changes it: threads
   * must get what they can still open when the key before is dropped.
   */
  function due(key: FragmentKey, entry: Held, isLast: boolean): TextDelta['put'] {
    const known = read(entry.raw, isLast)
    if (known === null) return []
    const hash = contentHash([entry.hash, vault.keys()[0]!.id, known.marks])
    if (entry.sent?.hash === hash) return []
    entry.sent = { hash, fragment: filled(entry.raw, known) }
    return [new FragmentText(key, hash, JSON.stringify(entry.sent.fragment))]
  }

  const referencesOf = (entries: Iterable<Held>): SecretReference[] =>
    [...entries].flatMap(({ raw }) => Object.values(raw.references ?? {}))

  const readAll = (): Promise<void> => sources.refresh(referencesOf(held.values()))

  /** What of the entries has changed. What was published since they were taken is none of it. */
  function changesOf(entries: readonly (readonly [FragmentKey, Held])[]): TextDelta | null {
    const put = entries.flatMap(([key, entry]) => (held.get(key) === entry ? due(key, entry, true) : []))
    return put.length === 0 ? null : { revision, full: false, put, drop: [] }
  }

  /** The delta as far as it is known, and whether more is to follow. */
  function known(delta: TextDelta): { readonly now: TextDelta; readonly isWaiting: boolean } {
    revision = delta.revision
    if (delta.full) held.clear()
    for (const key of delta.drop) held.delete(key)
    let isWaiting = false
    const put: FragmentText[] = []
    for (const entry of delta.put) {
      // Nearly all cannot refer, of tens of thousands
      const fragment = mayRefer(entry.key) ? entry.fragment : null
      if (fragment?.kind !== 'credential' && fragment?.kind !== 'collection') put.push(entry)
      else if (fragment.references === undefined) {
        held.delete(entry.key)
        put.push(entry)
      } else {
        const mine: Held = { raw: fragment, hash: entry.hash, sent: null }
        held.set(entry.key, mine)
        const sent = due(entry.key, mine, false)
        isWaiting ||= sent.length === 0
        put.push(...sent)
      }
    }
    // With what has changed elsewhere: once this holds, nothing is sealed with a key that is dropped then
    const named = new Set(held.size === 0 ? [] : delta.put.map(({ key }) => key))
    for (const [key, entry] of held) if (!named.has(key)) put.push(...due(key, entry, false))
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
    async whole({ revision, fragments }) {
      const put: FragmentText[] = []
      for (const kind of REFERRING_KINDS)
        for (const one of fragments.ofKind(kind)) if (hasReferences(one)) put.push(one)
      const { now, isWaiting } = known({ revision, full: true, put, drop: [] })
      if (isWaiting) await readAll()
      const rest = isWaiting ? changesOf([...held.entries()]) : null
      return { revision, fragments: fragments.with([...now.put, ...(rest?.put ?? [])]) }
    },
    refresh,
    async resolve(fragment) {
      if (fragment.references === undefined) return fragment
      // With those that are held: the sources forget what nobody refers to.
      await sources.refresh([...referencesOf(held.values()), ...Object.values(fragment.references)])
      return withRead(fragment, read(fragment, true)!)
    },
    faultOf: (id) => {
      const sent = held.get(`credential:${id}`)?.sent?.fragment
      return sent?.kind === 'credential' ? (sent.unresolved ?? null) : null
    },
  }
}

function hasReferences({ fragment }: FragmentText): boolean {
  return 'references' in fragment && fragment.references !== undefined
}

const UNANSWERED = { ok: false, reason: 'the vault has not answered' } as const

function filled(raw: Referring, known: Read): Referring {
  if (raw.kind === 'credential') return withRead(raw, known)
  const { faults } = known
  return {
    ...raw,
    sealed: { ...raw.sealed, ...known.seal() },
    ...(Object.keys(faults).length === 0 ? {} : { unresolved: faults }),
  }
}

/** A credential with what was read; of no use where one part is missing. */
function withRead(raw: CredentialFragment, { faults, seal }: Read): CredentialFragment {
  for (const [field, reason] of Object.entries(faults)) return { ...raw, unresolved: `${field}: ${reason}` }
  return { ...raw, sealed: { ...raw.sealed, ...seal() } }
}
