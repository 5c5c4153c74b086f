/**
 * What to type into AI applications to connect them to an MCP endpoint. The syntax is that of the documentation of each application;
 * `docs/mcp-clients` has a page for each.
 */

/** Applications by their names in the API, with those that people know. */
export const APPLICATIONS = {
  claude: 'Claude',
  claude_code: 'Claude Code',
  chatgpt: 'ChatGPT',
  cursor: 'Cursor',
  vscode: 'VS Code',
  codex: 'Codex CLI',
  gemini: 'Gemini CLI',
  other: 'Other clients',
} as const

export type Application = keyof typeof APPLICATIONS

export const APPLICATION_NAMES = Object.keys(APPLICATIONS) as readonly Application[]

/** How a snippet is used. */
export const FORMS = ['url', 'command', 'file', 'link'] as const

export interface Snippet {
  readonly application: Application
  /**
   * `url`: entered into a form of the application. `command`: run in a shell. `file`: added to a file. `link`: opened in a browser,
   * which starts the application.
   */
  readonly form: (typeof FORMS)[number]
  /** The file, or the form of the application; null for commands and links, and where each client has a place of its own. */
  readonly place: string | null
  readonly text: string
}

/** An MCP endpoint as an application knows it. */
interface Endpoint {
  /** Name in the application: lower-case letters, digits and hyphens. */
  readonly name: string
  readonly url: string
}

type Write = (endpoint: Endpoint) => Omit<Snippet, 'application'>

/** For people, who sign in through a browser. */
const SIGN_IN: Readonly<Record<Application, readonly Write[]>> = {
  claude: [({ url }) => ({ form: 'url', place: 'Connectors > Add custom connector', text: url })],
  claude_code: [command(({ name, url }) => `claude mcp add --transport http ${name} ${url}`)],
  chatgpt: [({ url }) => ({ form: 'url', place: 'Apps & Connectors > Create', text: url })],
  cursor: [
    ({ name, url }) => ({ form: 'link', place: null, text: cursorLink(name, { url }) }),
    file('~/.cursor/mcp.json', ({ url }) => ({ url })),
  ],
  vscode: [
    command(({ name, url }) => `code --add-mcp '${JSON.stringify({ name, type: 'http', url })}'`),
    vscodeFile(({ name, url }) => ({ servers: { [name]: { type: 'http', url } } })),
  ],
  codex: [
    command(({ name, url }) => `codex mcp add ${name} --url ${url}`),
    command(({ name }) => `codex mcp login ${name}`),
    codexFile(() => []),
  ],
  gemini: [
    command(({ name, url }) => `gemini mcp add --transport http --scope user ${name} ${url}`),
    file('~/.gemini/settings.json', ({ url }) => ({ httpUrl: url })),
  ],
  other: [file(null, ({ url }) => ({ type: 'http', url }))],
}

/**
 * For agents with the token of a binding, which stands in an environment variable and in no snippet. Applications that run in the
 * cloud of their vendor take no token.
 */
const WITH_TOKEN: Readonly<Record<Application, readonly Write[]>> = {
  claude: [],
  claude_code: [
    command(
      // Single quotes: the application, not the shell, puts the token in
      ({ name, url }) =>
        `claude mcp add --transport http ${name} ${url} --header 'Authorization: Bearer \${${variableOf(name)}}'`,
    ),
    file('.mcp.json', ({ name, url }) => ({
      type: 'http',
      url,
      headers: bearer(`\${${variableOf(name)}}`),
    })),
  ],
  chatgpt: [],
  cursor: [
    file('~/.cursor/mcp.json', ({ name, url }) => ({
      url,
      headers: bearer(`\${env:${variableOf(name)}}`),
    })),
  ],
  vscode: [
    vscodeFile(({ name, url }) => ({
      inputs: [
        { type: 'promptString', id: `${name}-token`, description: `Token for ${name}`, password: true },
      ],
      servers: { [name]: { type: 'http', url, headers: bearer(`\${input:${name}-token}`) } },
    })),
  ],
  codex: [
    command(
      ({ name, url }) => `codex mcp add ${name} --url ${url} --bearer-token-env-var ${variableOf(name)}`,
    ),
    codexFile(({ name }) => [`bearer_token_env_var = "${variableOf(name)}"`]),
  ],
  gemini: [
    file('~/.gemini/settings.json', ({ name, url }) => ({
      httpUrl: url,
      headers: bearer(`$${variableOf(name)}`),
    })),
  ],
  other: [
    file(null, ({ name, url }) => ({ type: 'http', url, headers: bearer(`\${${variableOf(name)}}`) })),
    command(({ name, url }) =>
      [
        `curl -sS ${url} -H "Authorization: Bearer $${variableOf(name)}"`,
        `-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'`,
        `-H 'MCP-Protocol-Version: 2025-11-25' -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
      ].join(' '),
    ),
  ],
}

/** The snippets of some applications. @param isToken for agents with the token of a binding, else for people who sign in */
export function snippetsFor(
  endpoint: Endpoint,
  applications: readonly Application[],
  isToken: boolean,
): readonly Snippet[] {
  const writers = isToken ? WITH_TOKEN : SIGN_IN
  return applications.flatMap((application) =>
    writers[application].map((write) => ({ application, ...write(endpoint) })),
  )
}

/** The environment variable of the token for an endpoint. Not `POSTERN_…`: Postern refuses to start with settings that it does not know. */
export function variableOf(name: string): string {
  return `MCP_TOKEN_${name.toUpperCase().replaceAll('-', '_')}`
}

function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` }
}

function command(line: (endpoint: Endpoint) => string): Write {
  return (endpoint) => ({ form: 'command', place: null, text: line(endpoint) })
}

/** A file with the servers by their names in `mcpServers`, as most applications have it. */
function file(place: string | null, server: (endpoint: Endpoint) => object): Write {
  return (endpoint) => ({
    form: 'file',
    place,
    text: json({ mcpServers: { [endpoint.name]: server(endpoint) } }),
  })
}

function vscodeFile(content: (endpoint: Endpoint) => object): Write {
  return (endpoint) => ({ form: 'file', place: '.vscode/mcp.json', text: json(content(endpoint)) })
}

/** TOML. Neither names nor URLs have characters that it would escape. */
function codexFile(more: (endpoint: Endpoint) => readonly string[]): Write {
  return (endpoint) => ({
    form: 'file',
    place: '~/.codex/config.toml',
    text: [`[mcp_servers.${endpoint.name}]`, `url = "${endpoint.url}"`, ...more(endpoint)].join('\n'),
  })
}

function json(value: object): string {
  return JSON.stringify(value, null, 2)
}

function cursorLink(name: string, config: object): string {
  const encoded = Buffer.from(JSON.stringify(config)).toString('base64')
  return `cursor://anysphere.cursor-deeplink/mcp/install?name=${name}&config=${encodeURIComponent(encoded)}`
}
