/** mcp-remote, which carries a client over stdio to an endpoint, and signs its person in. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { PATIENCE_MS } from './inspector.ts'
import type { Home, Installed } from './programs.ts'

export const installRemote = (home: Home): Promise<Installed> =>
  home.install('mcp-remote', '0.15.1', 'dist/proxy.js')

export interface Run {
  /** Its directory for what it keeps. */
  readonly kept: string
  /** Where it listens for the browser. */
  readonly port: number
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Of the client over stdio. */
  readonly capabilities?: ConstructorParameters<typeof Client>[1]
}

/** A client that speaks to mcp-remote over stdio. @param file of the installed program */
export async function connectRemote(
  home: Home,
  file: string,
  endpoint: string,
  { kept, port, flags = [], env = {}, capabilities }: Run,
) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [file, endpoint, String(port), '--auth-timeout', '60', ...flags],
    env: { ...home.env, MCP_REMOTE_CONFIG_DIR: join(home.directory, kept), ...env },
    stderr: 'pipe',
  })
  let said = ''
  transport.stderr!.on('data', (piece: Buffer) => {
    said += piece.toString()
  })
  const client = new Client({ name: 'test-agent', version: '1' }, capabilities)
  // The SDK declares its own transport in a way that exactOptionalPropertyTypes rejects
  const connected = client.connect(transport as Parameters<typeof client.connect>[0], {
    timeout: PATIENCE_MS,
  })
  await connected.catch((error: unknown) => assert.fail(`${error}\n${said}\n${home.browsed()}`))
  const ask = (name: string, values: Record<string, unknown> = {}) =>
    client.callTool({ name, arguments: values }, undefined, { timeout: PATIENCE_MS })
  return {
    client,
    ask,
    /** The structured result of a tool. */
    call: async (name: string, values: Record<string, unknown>) =>
      (await ask(name, values)).structuredContent as Record<string, unknown>,
    [Symbol.asyncDispose]: () => client.close(),
  }
}
