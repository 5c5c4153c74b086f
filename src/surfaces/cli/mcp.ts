import { Command } from 'commander'
import { printable } from '../../base/text/visible.ts'
import { bridge } from './bridge.ts'
import { addPlace } from './common-flags.ts'
import { findGateway, findTarget, type Where } from './connect.ts'
import { UsageError } from './exit.ts'
import type { CliPorts } from './ports.ts'

interface Given extends Where {
  readonly gateway?: boolean
  readonly view?: string
  readonly client?: string
  readonly profile?: string
  readonly header: readonly string[]
}

/** A field line as a person writes it (RFC 9110 section 5). */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)$/

/** `postern mcp`: MCP for agents that start a program and talk to it, in place of calling an address. */
export function mcpCommand(ports: CliPorts): Command {
  const command = new Command('mcp')
    .description('Run an MCP server on standard input and output that forwards to the instance')
    .option('--gateway', 'Forward to the published APIs (/mcp) instead of the management API')
    .option('--view <view>', 'Tools of management: grouped, or full for one per operation')
    .option('--client <client>', 'With --gateway: client that makes the calls (X-Client-ID)')
    .option('--profile <profile>', 'With --gateway: profile of the client (X-Profile-ID)')
    .option(
      '-H, --header <line>',
      'Header to add to each request',
      (line: string, before: readonly string[]) => [...before, line],
      [],
    )
    .addHelpText(
      'after',
      '\nWith --gateway the token of a profile is read from POSTERN_TOKEN.\n\nExamples:\n  postern mcp --context staging\n  POSTERN_TOKEN=... postern mcp --gateway --url https://gateway.example.com --client acme --profile live\n',
    )
  return addPlace(command).action(async (given: Given) => {
    const { url, authorization, fetch: reach } = await endpointOf(ports, given)
    await bridge(ports.lines(), {
      url,
      authorization,
      headers: { 'user-agent': `postern-mcp/${ports.version}`, ...fieldsOf(given) },
      fetch: reach ?? ports.fetch ?? fetch,
      send: (message) => ports.out(`${message}\n`),
      warn: (sentence) => ports.err(`warning: ${printable(sentence)}\n`),
    })
  })
}

async function endpointOf(
  ports: CliPorts,
  given: Given,
): Promise<{
  url: string
  authorization: (refused?: string) => Promise<string | null>
  fetch?: typeof fetch | undefined
}> {
  if (given.gateway === true) {
    const token = ports.env['POSTERN_TOKEN'] || null
    return {
      url: `${await findGateway(ports, given)}/mcp`,
      authorization: async () => (token === null ? null : `Bearer ${token}`),
    }
  }
  if (given.client !== undefined || given.profile !== undefined)
    throw new UsageError('--client and --profile need --gateway.')
  const { url, token, fetch } = await findTarget(ports, given, 'mcp')
  const view = given.view === undefined ? '' : `?view=${encodeURIComponent(given.view)}`
  return {
    url: `${url}/management/mcp${view}`,
    authorization: async (refused) => `Bearer ${await token(refused?.replace(/^Bearer /, ''))}`,
    fetch,
  }
}

/** Header fields of flags. */
export function fieldsOf({
  client,
  profile,
  header,
}: Pick<Given, 'client' | 'profile' | 'header'>): Record<string, string> {
  const fields: Record<string, string> = {}
  if (client !== undefined) fields['x-client-id'] = client
  if (profile !== undefined) fields['x-profile-id'] = profile
  for (const line of header) {
    const [, name, value] = FIELD.exec(line) ?? []
    if (name === undefined)
      throw new UsageError(`--header "${line}" must be a header line such as "X-Team: payments".`)
    fields[name.toLowerCase()] = value!
  }
  return fields
}
