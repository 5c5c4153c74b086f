import type { LinkedClient, LinkedHost } from '../linked/client.ts'

interface Linked {
  readonly clients: ReadonlyMap<string, LinkedClient>
  readonly hosts: ReadonlyMap<string, LinkedHost>
}

/** The client of that id, or the host, which is a client to all checks of a call. */
export function clientOf({ clients, hosts }: Linked, id: string): LinkedClient | undefined {
  return clients.get(id) ?? hosts.get(id)?.client
}
