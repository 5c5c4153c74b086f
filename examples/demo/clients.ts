/** Ready configurations of MCP clients for both endpoints. */
export interface Endpoints {
  readonly gatewayMcp: string
  readonly managementMcp: string
  /** Credential for the gateway endpoint; the management endpoint wants a fresh admin token, so it gets a placeholder. */
  readonly token: string
}

const ADMIN = '<postern token --role admin --ttl 15m>'

/** mcp-remote puts the variable in. */
const FROM_ENVIRONMENT = `Authorization:$\{AUTHORIZATION}`

/** Text to print: Claude Desktop (through mcp-remote, since it starts local programs), Cursor and VS Code. */
export function clientConfigurations({ gatewayMcp, managementMcp, token }: Endpoints): string {
  // The value stands in the environment: on Windows an argument with a space would arrive as two.
  const remote = (url: string, bearer: string) => ({
    command: 'npx',
    args: ['-y', 'mcp-remote', url, '--header', FROM_ENVIRONMENT],
    env: { AUTHORIZATION: `Bearer ${bearer}` },
  })
  const http = (url: string, bearer: string) => ({ url, headers: { Authorization: `Bearer ${bearer}` } })
  const blocks: [string, unknown][] = [
    [
      'Claude Desktop (claude_desktop_config.json)',
      {
        mcpServers: {
          postern: remote(gatewayMcp, token),
          'postern-management': remote(managementMcp, ADMIN),
        },
      },
    ],
    [
      'Cursor (.cursor/mcp.json)',
      { mcpServers: { postern: http(gatewayMcp, token), 'postern-management': http(managementMcp, ADMIN) } },
    ],
    [
      'VS Code (.vscode/mcp.json)',
      {
        servers: {
          postern: { type: 'http', ...http(gatewayMcp, token) },
          'postern-management': { type: 'http', ...http(managementMcp, ADMIN) },
        },
      },
    ],
  ]
  return blocks.map(([title, json]) => `\n${title}\n${JSON.stringify(json, null, 2)}`).join('\n')
}
