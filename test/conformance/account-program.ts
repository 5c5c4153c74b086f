/** The program that the suite runs for a scenario of authorization: tells the Postern at `POSTERN_ACCOUNTS` of it, and waits for the end. */
import type { Told } from './accounts.ts'

const { env } = process
const told: Told = {
  url: process.argv.at(-1)!,
  scenario: env['MCP_CONFORMANCE_SCENARIO'] ?? '',
  revision: env['MCP_CONFORMANCE_PROTOCOL_VERSION'] ?? '',
  // From the suite, by its documentation
  context: JSON.parse(env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Told['context'],
}
const answer = await fetch(env['POSTERN_ACCOUNTS']!, { method: 'POST', body: JSON.stringify(told) })
const text = await answer.text()
if (!answer.ok) throw new Error(text)
