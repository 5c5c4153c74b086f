/** The official SDK clients, v1 and v2 in both eras, behind one shape. */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

export interface CallResult {
  readonly content: readonly { readonly type: string; readonly text?: string }[]
  readonly structuredContent?: Record<string, unknown>
  readonly isError?: boolean
}

export interface Peer {
  tools(): Promise<readonly { readonly name: string }[]>
  call(name: string, args: Record<string, unknown>): Promise<CallResult>
  close(): Promise<void>
}

export const CLIENT_INFO = { name: 'test-agent', version: '1.2.3' }

export const PEERS: Readonly<
  Record<string, (url: string, headers: Record<string, string>) => Promise<Peer>>
> = {
  'SDK v1': async (url, headers) => {
    const client = new LegacyClient(CLIENT_INFO)
    const transport = new LegacyTransport(new URL(url), { requestInit: { headers } })
    // The SDK declares its own transport's session id in a way that exactOptionalPropertyTypes rejects.
    await client.connect(transport as Parameters<typeof client.connect>[0])
    return {
      tools: async () => (await client.listTools()).tools,
      call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
      close: async () => {
        await transport.terminateSession()
        await client.close()
      },
    }
  },
  'SDK v2, legacy era': (url, headers) => modernPeer(url, headers, 'legacy'),
  'SDK v2, era found by probing': (url, headers) => modernPeer(url, headers, 'auto'),
  'SDK v2, pinned to 2026-07-28': (url, headers) => modernPeer(url, headers, { pin: '2026-07-28' }),
}

async function modernPeer(
  url: string,
  headers: Record<string, string>,
  mode: 'legacy' | 'auto' | { pin: string },
): Promise<Peer> {
  const client = new ModernClient(CLIENT_INFO, { versionNegotiation: { mode } })
  await client.connect(new ModernTransport(new URL(url), { requestInit: { headers } }))
  return {
    tools: async () => (await client.listTools()).tools,
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
    close: () => client.close(),
  }
}
