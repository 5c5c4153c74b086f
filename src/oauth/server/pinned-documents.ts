import type { Plain } from '../../base/json/plain.ts'

const program = (client_id: string, client_name: string, redirect_uris: readonly string[]): Plain => ({
  client_id,
  client_name,
  application_type: 'native',
  redirect_uris,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
})

const LOOPBACK = ['http://localhost/callback', 'http://127.0.0.1/callback']

/**
 * What the metadata documents of widespread clients say of them, by their URL: a site without a way out cannot fetch
 * them, and those clients know no other way to present themselves once such documents are announced.
 */
export const PINNED: ReadonlyMap<string, Plain> = new Map(
  [
    program('https://claude.ai/oauth/claude-code-client-metadata', 'Claude Code', LOOPBACK),
    program('https://vscode.dev/oauth/client-metadata.json', 'Visual Studio Code', [
      'http://127.0.0.1:33418/',
      'https://vscode.dev/redirect',
    ]),
    program('https://chatgpt.com/oauth/codex/client.json', 'Codex', LOOPBACK),
    program('https://zed.dev/oauth/client-metadata.json', 'Zed', ['http://127.0.0.1/callback']),
  ].map((document) => [String(document['client_id']), document]),
)
