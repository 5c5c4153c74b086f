import type { LinkedClient } from '../linked/client.ts'
import type { Snapshot } from '../snapshot.ts'

/** The client of that id, or the host, which is a client to all checks of a call. */
export function clientOf(
  { clients, hosts }: Pick<Snapshot, 'clients' | 'hosts'>,
  id: string,
): LinkedClient | undefined {
  return clients.get(id) ?? hosts.get(id)?.client
}
