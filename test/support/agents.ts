/** Agents of a test server: hosts with bindings, and what their tokens get at the authorization server. */
import assert from 'node:assert/strict'
import { postForm } from './authorization.ts'

interface Manages {
  manage(
    method: string,
    path: string,
    body?: unknown,
    // biome-ignore lint/suspicious/noExplicitAny: as replies of the test server
  ): Promise<{ status: number; text: string; json: any }>
}

/** A binding as an OAuth client. */
export interface AgentClient {
  readonly id: string
  readonly secret: string
}

export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Makes a binding below a host that exists, and issues its token. */
export async function addAgent(
  server: Manages,
  binding: Readonly<Record<string, unknown>>,
): Promise<AgentClient> {
  const made = await server.manage('POST', '/bindings', { name: binding['slug'], ...binding })
  assert.equal(made.status, 201, made.text)
  return issueSecret(server, made.json.id)
}

/** Issues the token of a binding anew. */
export async function issueSecret(server: Manages, id: string): Promise<AgentClient> {
  const { status, json, text } = await server.manage('POST', `/bindings/${id}/issue_token`, {})
  assert.equal(status, 200, text)
  return { id, secret: json.token }
}

/** Asks for an exchange as an agent does (RFC 8693). */
export function exchange(origin: string, agent: AgentClient, form: Readonly<Record<string, string>>) {
  return postForm(`${origin}/oauth/token`, {
    grant_type: TOKEN_EXCHANGE,
    client_id: agent.id,
    client_secret: agent.secret,
    subject_token_type: ACCESS_TOKEN,
    ...form,
  })
}

/** Claims of a JWT, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: claims of many shapes; a test reads those it asserts on
export function claimsOf(token: string): any {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
}
