import type { LinkedHost, LinkedToken } from '../linked/client.ts'
import type { Snapshot } from '../snapshot.ts'
import { CopiedMap } from './copied-map.ts'
import type { KindIndex } from './kind-index.ts'

/** Hosts by id, and the tokens of their bindings. */
export function hostIndex(
  before: Partial<Snapshot>,
): KindIndex<LinkedHost, Pick<Snapshot, 'hosts' | 'hostTokens'>> {
  const hosts = new CopiedMap(before.hosts)
  const tokens = new CopiedMap<LinkedToken>(before.hostTokens)
  return {
    add(host) {
      hosts.set(host.id, host)
      for (const token of host.client.tokens) tokens.set(token.fragment.lookup, token)
    },
    remove(host) {
      hosts.delete(host.id, host)
      for (const token of host.client.tokens) tokens.delete(token.fragment.lookup, token)
    },
    get isChanged() {
      return hosts.isChanged
    },
    members: () => ({ hosts: hosts.map, hostTokens: tokens.map }),
  }
}
