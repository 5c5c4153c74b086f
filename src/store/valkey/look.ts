/** What the servers of an address say of themselves, without being used. */
import { shownServer, type ValkeyAddress, type ValkeyServer } from '../../base/net/valkey-url.ts'
import type { ValkeyFacts, ValkeyLook } from '../ports/valkey.ts'
import { connectLink, type Link, messageOf } from './link.ts'

/** Looks at each server. Resolves for servers that cannot be reached too. */
export async function lookAtValkey(address: ValkeyAddress): Promise<readonly ValkeyLook[]> {
  return Promise.all(
    address.servers.map(async (server): Promise<ValkeyLook> => {
      const name = shownServer(server)
      return { server: name, facts: await factsOf(address, server).catch(messageOf) }
    }),
  )
}

async function factsOf(address: ValkeyAddress, server: ValkeyServer): Promise<ValkeyFacts> {
  const link = await connectLink(address, server, () => {})
  try {
    const { product, version, role, isCluster, policy } = link.info
    return { product, version, role, isCluster, policy, clockMs: await clockOf(link) }
  } finally {
    link.destroy()
  }
}

/** The clock of the server minus that of this machine, in the middle of the question. */
async function clockOf(link: Link): Promise<number> {
  const before = Date.now()
  const [seconds, micros] = (await link.send(['TIME'])) as [string, string]
  const middle = (before + Date.now()) / 2
  return Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - middle)
}
