import type { Snapshot } from '../snapshot/snapshot.ts'
import type { KnownIdentity } from './identity.ts'

/**
 * The holder of memory, streams and connections: a client as a whole. People at one host know nothing of each other, so
 * each of them counts alone. Whoever uses a profile of type none has proved nothing, so all of these callers of a client count apart from
 * those with a credential.
 */
export function holderOf(
  {
    client,
    subject,
    credentialId,
  }: Pick<KnownIdentity, 'subject' | 'credentialId'> & { readonly client: { readonly id: string } },
  { hosts }: Pick<Snapshot, 'hosts'>,
): string {
  if (credentialId === '') return `${client.id}/`
  return subject !== '' && hosts.has(client.id) ? `${client.id}/${subject}` : client.id
}
