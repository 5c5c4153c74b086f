/**
 * Stands in front of an MCP server that knows no accounts, and lets requests through that have the token of one. Invariant: a request is noted
 * before it is passed on or refused.
 */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AccountGuard extends AsyncDisposable {
  /** Of the server behind it. */
  readonly url: string
  readonly requests: readonly {
    readonly method: string
    /** Path and query. */
    readonly target: string
    readonly session: string | undefined
    /** Null for a request that was refused. */
    readonly account: string | null
  }[]
  /** Takes a token for an account from now on. */
  accept(token: string, account: string): void
  /** Takes it no longer. */
  refuse(token: string): void
}

export async function startAccountGuard(server: string): Promise<AccountGuard> {
  const { hostname, port, pathname } = new URL(server)
  const accounts = new Map<string, string>()
  const requests: AccountGuard['requests'][number][] = []
  const http = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    const account = accounts.get(headers.authorization?.replace(/^Bearer /, '') ?? '') ?? null
    const session = headers['mcp-session-id'] as string | undefined
    requests.push({ method: method!, target: url!, session, account })
    if (account === null) {
      incoming.resume().once('end', () => outgoing.writeHead(401).end())
      return
    }
    const passed = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.on('error', () => outgoing.destroy()).pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    outgoing.on('close', () => passed.destroy())
    incoming.pipe(passed)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}${pathname}`,
    requests,
    accept: (token, account) => void accounts.set(token, account),
    refuse: (token) => void accounts.delete(token),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}
