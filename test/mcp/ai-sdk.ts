/** The MCP client of the AI SDK behind the shape of the other peers. */
import { createMCPClient } from '@ai-sdk/mcp'
import { type CallResult, offersOf, type Peer } from '../support/mcp-clients.ts'

/** @param type `sse` is HTTP+SSE as in revision 2024-11-05. */
export async function aiSdkPeer(
  url: string,
  headers: Record<string, string>,
  type: 'http' | 'sse' = 'http',
): Promise<Peer> {
  const client = await createMCPClient({ transport: { type, url, headers } })
  const sdk = {
    listPrompts: () => client.listPrompts(),
    getPrompt: (asked: { name: string; arguments: Record<string, string> }) => client.getPrompt(asked),
    listResources: (params: { cursor?: string }) => client.listResources({ params }),
    listResourceTemplates: () => client.listResourceTemplates(),
    readResource: (asked: { uri: string }) => client.readResource(asked),
    complete: (asked: Parameters<typeof client.complete>[0]) => client.complete(asked),
  }
  return {
    ...offersOf(sdk),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
    close: () => client.close(),
  }
}
