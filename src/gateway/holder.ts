import type { Snapshot } from '../snapshot/snapshot.ts'
import type { KnownIdentity } from './identity.ts'

/**
 * The holder of memory, streams and connections: a client as a whole. People at one host know nothing of each other, so
 * each of them counts alone.
 */
export function holderOf(
  { client, subject }: Pick<KnownIdentity, 'subject'> & { readonly client: { readonly id: string } },
  { hosts }: Pick<Snapshot, 'hosts'>,
): string {
  return subject !== '' && hosts.has(client.id) ? `${client.id}/${subject}` : client.id
}
