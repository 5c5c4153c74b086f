/** How snapshots find clients, profiles, tokens and certificates. */
import { isImported } from '../../base/crypto/token.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { LinkedClient, LinkedProfile, LinkedToken } from '../linked-types/client.ts'
import type { Snapshot } from '../snapshot.ts'
import { CopiedMap, type KindIndex } from './kind-index.ts'

/** Proved tokens that one thread remembers. */
const VERIFIED_MAX = 10_000
/** Tokens that one thread remembers to have failed. */
const FAILED_MAX = 1000

type Members =
  | 'clients'
  | 'profiles'
  | 'tokens'
  | 'importedTokens'
  | 'proved'
  | 'issuers'
  | 'introspecting'
  | 'verified'
  | 'failed'
  | 'bindings'
  | 'bound'

/** Clients by id and slug, their profiles and tokens, and what proves their callers. */
export function clientIndex(before: Partial<Snapshot>): KindIndex<LinkedClient, Pick<Snapshot, Members>> {
  const clients = new CopiedMap(before.clients)
  const profiles = new CopiedMap(before.profiles)
  const tokens = new CopiedMap<LinkedToken>(before.tokens)
  const imported = new CopiedMap<LinkedToken>(before.importedTokens)
  const issuers = new CopiedMap(before.issuers)
  const introspecting = new CopiedMap(before.introspecting)
  const bindings = new CopiedMap(before.bindings)
  const mapOf = ({ fragment }: LinkedToken) => (isImported(fragment) ? imported : tokens)
  return {
    add(client) {
      clients.set(client.id, client)
      clients.set(client.fragment.slug, client)
      for (const profile of client.profiles.values()) profiles.set(profile.id, profile)
      for (const profile of client.verifying) {
        const { issuer, introspection } = profile.verifier!.fragment
        include(issuers, issuer, profile)
        if (introspection !== null) introspecting.set(profile.id, profile)
      }
      for (const profile of client.bound)
        for (const name of namesOf(profile)) include(bindings, name, profile)
      for (const token of client.tokens) mapOf(token).set(token.fragment.lookup, token)
    },
    remove(client) {
      clients.delete(client.id, client)
      clients.delete(client.fragment.slug, client)
      for (const profile of client.profiles.values()) profiles.delete(profile.id, profile)
      for (const profile of client.verifying) {
        exclude(issuers, profile.verifier!.fragment.issuer, profile)
        introspecting.delete(profile.id, profile)
      }
      for (const profile of client.bound)
        for (const name of namesOf(profile)) exclude(bindings, name, profile)
      for (const token of client.tokens) mapOf(token).delete(token.fragment.lookup, token)
    },
    get isChanged() {
      return clients.isChanged
    },
    members: () => ({
      clients: clients.map,
      profiles: profiles.map,
      tokens: tokens.map,
      importedTokens: imported.map,
      proved: kept(tokens, kept(imported, before.proved)) ?? new Map(),
      issuers: issuers.map,
      introspecting: introspecting.map,
      // A change may leave a token to another profile, or to several.
      verified: kept(issuers, before.verified) ?? new Lru(VERIFIED_MAX),
      failed: kept(issuers, before.failed) ?? new Lru(FAILED_MAX),
      bindings: bindings.map,
      bound: kept(bindings, before.bound) ?? new WeakMap(),
    }),
  }
}

/** What requests have left in the snapshot before, as long as the map that it rests on is the same. */
function kept<T>(map: { readonly isChanged: boolean }, before: T | undefined): T | undefined {
  return map.isChanged ? undefined : before
}

type Lists = CopiedMap<readonly LinkedProfile[]>

function include(lists: Lists, key: string, profile: LinkedProfile): void {
  lists.set(key, [...(lists.map.get(key) ?? []), profile])
}

function exclude(lists: Lists, key: string, profile: LinkedProfile): void {
  const known = lists.map.get(key)
  const rest = known?.filter((one) => one !== profile) ?? []
  if (rest.length > 0) lists.set(key, rest)
  else if (known !== undefined) lists.delete(key, known)
}

function namesOf({ certificates }: LinkedProfile): ReadonlySet<string> {
  return new Set(certificates?.bindings.map(({ name }) => name))
}
