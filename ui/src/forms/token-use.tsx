import type { JsonObject } from '../../build/document.ts'
import { useCall, useSession } from '../api/client.ts'
import { CodeBlock } from '../kit/text.tsx'
import { curlWith, mcpWith } from './token-use.ts'

/** What a caller does with a new token: a first request, and the entry of an MCP client. */
export function TokenUse({
  token,
  output,
  stored,
}: {
  token: string
  output: JsonObject
  stored: JsonObject
}) {
  const gateway = useSession()?.instance.gateway_url ?? ''
  const owner = { ...stored, ...output }
  const [collection] = textsOf(owner['collections'])
  const [virtualMcp] = [...textsOf(owner['virtual_mcp']), ...textsOf(owner['virtual_mcps'])]
  const { data } = useCall('collections.get', { id: collection ?? '' }, { enabled: collection !== undefined })
  const hosts = data?.hosts ?? []
  const url = hosts.length > 0 ? gateway.replace(/\/\/[^/:]+/, `//${hosts[0]}`) : gateway
  const isMcpOnly = collection === undefined && virtualMcp !== undefined
  const mcpPath = isMcpOnly ? `/mcp/${virtualMcp}` : '/mcp'
  return (
    <section aria-label="How to use it" className="flex flex-col gap-2">
      {data !== undefined && (
        <>
          <p className="text-muted">Call an endpoint of {collection} through the gateway:</p>
          <CodeBlock label="curl" text={curlWith(token, `${url}${data.base_path}`)} />
        </>
      )}
      <p className="text-muted">Or let an AI application call it over MCP:</p>
      <CodeBlock label="MCP" text={mcpWith(token, isMcpOnly ? virtualMcp : 'postern', gateway + mcpPath)} />
    </section>
  )
}

function textsOf(value: unknown): readonly string[] {
  return [value].flat().filter((one) => typeof one === 'string')
}
