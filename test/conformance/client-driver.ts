/**
 * A client that uses all that a server offers, for the client side of the conformance suite: it lists, reads and calls
 * everything once, at the same time. Run as a program, its last argument is the URL of a scenario. The program of a gateway
 * makes that URL an origin, and calls `drive` with the URL of the gateway.
 */
import { Client, StreamableHTTPClientTransport, type Tool } from '@modelcontextprotocol/client'

interface Field {
  readonly type?: unknown
  readonly default?: unknown
}

export interface Drive {
  /** Added to each request, such as a credential. */
  readonly headers?: Readonly<Record<string, string>>
  /** What the scenario speaks; by default as the suite says. */
  readonly revision?: string
  /** Opens the page to which a person is sent, after which the call is made again. */
  readonly open?: (page: string) => Promise<void>
}

/** Ends when everything has been used; an error of one use ends none of the others. */
export async function drive(url: string, { headers = {}, revision, open }: Drive = {}): Promise<void> {
  const isModern = (revision ?? process.env['MCP_CONFORMANCE_PROTOCOL_VERSION'] ?? '') >= '2026'
  const client = new Client(
    { name: 'conformance-driver', version: '1.0.0' },
    {
      capabilities: { elicitation: { form: { applyDefaults: true } } },
      versionNegotiation: { mode: isModern ? 'auto' : 'legacy' },
    },
  )
  client.setRequestHandler('elicitation/create', ({ params }) => {
    const fields = 'requestedSchema' in params ? params.requestedSchema.properties : {}
    return { action: 'accept', content: valuesFor(fields) as Record<string, string> }
  })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { ...headers } } }),
  )
  const offers = client.getServerCapabilities()
  const { tools } = await client.listTools().catch(() => ({ tools: [] }))
  const { resources } = offers?.resources === undefined ? { resources: [] } : await client.listResources()
  const { prompts } = offers?.prompts === undefined ? { prompts: [] } : await client.listPrompts()
  await Promise.allSettled([
    ...callsOf(tools).map(async (call) => {
      const page = pageIn(await client.callTool(call))
      if (page === null || open === undefined) return
      await open(page)
      await client.callTool(call)
    }),
    ...resources.map(({ uri }) => client.readResource({ uri })),
    ...prompts.map(({ name }) => client.getPrompt({ name })),
  ])
  await client.close()
}

/** Where a person connects the account that a call has lacked. */
function pageIn({ structuredContent }: { readonly structuredContent?: unknown }): string | null {
  const { connect_url: page } = (structuredContent ?? {}) as { readonly connect_url?: unknown }
  return typeof page === 'string' ? page : null
}

interface Call {
  readonly [member: string]: unknown
  name: string
  arguments: Record<string, unknown>
}

/** What the scenario asks for, else each tool once. */
function callsOf(tools: readonly Tool[]): Call[] {
  const context: { toolCalls?: Call[] } = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}')
  if (context.toolCalls !== undefined) return context.toolCalls
  return tools.map(({ name, inputSchema }) => ({ name, arguments: valuesFor(inputSchema.properties ?? {}) }))
}

/** A value for each field that has no default. */
function valuesFor(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const values = Object.entries(fields).flatMap(([name, field]) => {
    const { type, default: usual } = (field ?? {}) as Field
    if (usual !== undefined) return []
    return [[name, type === 'boolean' ? true : type === 'number' || type === 'integer' ? 1 : 'text']]
  })
  return Object.fromEntries(values)
}

if (import.meta.main) await drive(process.argv.at(-1)!)
