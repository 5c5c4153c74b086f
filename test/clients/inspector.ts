/** MCP Inspector in its form for the command line. */
import { ownPort } from '../support/ports.ts'
import { type Ended, type Home, type Installed, run } from './programs.ts'

/** For each step of a client, on a machine that does other things as well: milliseconds. */
export const PATIENCE_MS = 60_000

export const installInspector = (home: Home): Promise<Installed> =>
  home.install('@modelcontextprotocol/inspector', '2.12.0', 'clients/launcher/build/index.js')

/**
 * Has MCP Inspector ask an endpoint for something, on a callback port of its own.
 *
 * @param file of the installed program
 * @param asked flags, such as the method
 * @param input for its questions
 */
export async function inspect(
  home: Home,
  file: string,
  endpoint: string,
  asked: readonly string[],
  input = '',
): Promise<Ended> {
  const args = [file, '--cli', endpoint, '--transport', 'http', '--format', 'json']
  args.push('--callback-url', `http://127.0.0.1:${await ownPort()}/oauth/callback`)
  args.push('--connect-timeout', String(PATIENCE_MS), ...asked)
  return run(process.execPath, args, { env: home.env, input, timeout: 2 * PATIENCE_MS })
}

/** Flags that call a tool. */
export const callOf = (tool: string, values: object = {}): string[] => [
  ...['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(values)],
]
