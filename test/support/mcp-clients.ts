/** The official SDK clients, v1 and v2 in both eras, behind one shape. */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'

export interface CallResult {
  readonly content: readonly { readonly type: string; readonly text?: string }[]
  readonly structuredContent?: Record<string, unknown>
  readonly isError?: boolean
}

interface Listed {
  readonly uri: string
  readonly name: string
}

export interface Peer {
  /** Names of the prompts. */
  prompts(): Promise<readonly string[]>
  /** The text of a prompt. */
  prompt(name: string, args: Record<string, string>): Promise<string>
  /** Every page of the resources. */
  resources(): Promise<readonly Listed[]>
  templates(): Promise<readonly string[]>
  /** The text of a resource. */
  read(uri: string): Promise<string>
  complete(prompt: string, argument: string, value: string): Promise<readonly string[]>
  tools(): Promise<readonly { readonly name: string }[]>
  call(name: string, args: Record<string, unknown>): Promise<CallResult>
  close(): Promise<void>
}

export const CLIENT_INFO = { name: 'test-agent', version: '1.2.3' }

export const PEERS: Readonly<
  Record<string, (url: string, headers: Record<string, string>) => Promise<Peer>>
> = {
  'SDK v1': (url, headers) => legacyPeer(url, headers),
  'SDK v2, legacy era': (url, headers) => modernPeer(url, headers, 'legacy'),
  'SDK v2, era found by probing': (url, headers) => modernPeer(url, headers, 'auto'),
  'SDK v2, pinned to 2026-07-28': (url, headers) => modernPeer(url, headers, { pin: '2026-07-28' }),
}

/** As {@link PEERS}, with a person behind them. */
export const ATTENDED_PEERS: Readonly<
  Record<string, (url: string, headers: Record<string, string>, answer: AnswerForm) => Promise<Peer>>
> = {
  'SDK v1': legacyPeer,
  'SDK v2, legacy era': (url, headers, answer) => modernPeer(url, headers, 'legacy', answer),
  'SDK v2, pinned to 2026-07-28': (url, headers, answer) =>
    modernPeer(url, headers, { pin: '2026-07-28' }, answer),
}

/** A form that a person is shown, and what they say to it. */
export type AnswerForm = (form: { readonly message: string }) => {
  readonly action: 'accept' | 'decline' | 'cancel'
  readonly content?: Record<string, string | boolean>
}

async function legacyPeer(url: string, headers: Record<string, string>, answer?: AnswerForm): Promise<Peer> {
  const client = new LegacyClient(CLIENT_INFO, {
    capabilities: answer === undefined ? {} : { elicitation: {} },
  })
  if (answer !== undefined)
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => answer({ message: params.message }))
  const transport = new LegacyTransport(new URL(url), { requestInit: { headers } })
  // The SDK declares its own transport's session id in a way that exactOptionalPropertyTypes rejects.
  await client.connect(transport as Parameters<typeof client.connect>[0])
  return {
    ...offersOf(client),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
    close: async () => {
      await transport.terminateSession()
      await client.close()
    },
  }
}

async function modernPeer(
  url: string,
  headers: Record<string, string>,
  mode: 'legacy' | 'auto' | { pin: string },
  answer?: AnswerForm,
): Promise<Peer> {
  const capabilities = answer === undefined ? {} : { elicitation: { form: {} } }
  const client = new ModernClient(CLIENT_INFO, { capabilities, versionNegotiation: { mode } })
  if (answer !== undefined)
    client.setRequestHandler('elicitation/create', async ({ params }) => answer({ message: params.message }))
  await client.connect(new ModernTransport(new URL(url), { requestInit: { headers } }))
  return {
    ...offersOf(client),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as CallResult,
    close: () => client.close(),
  }
}

/** What both SDKs have in common, as far as it is used here. */
interface Offering {
  listPrompts(): Promise<{ prompts: { name: string }[] }>
  getPrompt(asked: { name: string; arguments: Record<string, string> }): Promise<{
    messages: { content: { type: string; text?: string } | { type: string; text?: string }[] }[]
  }>
  listResources(page: { cursor?: string }): Promise<{ resources: Listed[]; nextCursor?: string | undefined }>
  listResourceTemplates(): Promise<{ resourceTemplates: { uriTemplate: string }[] }>
  readResource(asked: { uri: string }): Promise<{ contents: { text?: string }[] }>
  complete(asked: {
    ref: { type: 'ref/prompt'; name: string }
    argument: { name: string; value: string }
  }): Promise<{ completion: { values: string[] } }>
}

/** The half of a peer that clients of other projects share, if `client` has the methods of the SDK. */
export function offersOf(client: unknown): Omit<Peer, 'tools' | 'call' | 'close'> {
  // The results of both are wider unions than a test reads
  const peer = client as Offering
  return {
    prompts: async () => (await peer.listPrompts()).prompts.map(({ name }) => name),
    prompt: async (name, args) => {
      const [message] = (await peer.getPrompt({ name, arguments: args })).messages
      return [message!.content].flat()[0]!.text ?? ''
    },
    resources: async () => {
      const all: Listed[] = []
      let cursor: string | undefined
      do {
        const page = await peer.listResources(cursor === undefined ? {} : { cursor })
        all.push(...page.resources)
        cursor = page.nextCursor
      } while (cursor !== undefined)
      return all
    },
    templates: async () =>
      (await peer.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
    read: async (uri) => (await peer.readResource({ uri })).contents[0]?.text ?? '',
    complete: async (name, argument, value) => {
      const asked = { ref: { type: 'ref/prompt', name }, argument: { name: argument, value } } as const
      return (await peer.complete(asked)).completion.values
    },
  }
}
