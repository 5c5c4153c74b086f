/**
 * A proxy in front of one URL that adds headers to each request, for clients that cannot: the conformance suite has no option
 * for a credential. Invariants: every other header passes as it was sent, Host and Origin too, which the suite forges; bytes
 * are never held back, because events must not wait for the next one; each side learns that the other hung up.
 */
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CredentialProxy extends AsyncDisposable {
  /** On `localhost`, with the path of the target. */
  readonly url: string
}

/**
 * @param target The URL that each request goes to, whatever its own path.
 * @param added Header names in lower case; each replaces what the client sent under that name.
 */
export async function startCredentialProxy(
  target: string,
  added: Readonly<Record<string, string>>,
): Promise<CredentialProxy> {
  const { hostname, port, pathname, search } = new URL(target)
  const agent = new Agent({ keepAlive: true })
  const server = createServer((incoming, outgoing) => {
    const headers: string[] = []
    for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
      const name = incoming.rawHeaders[at]!
      if (!(name.toLowerCase() in added)) headers.push(name, incoming.rawHeaders[at + 1]!)
    }
    for (const [name, value] of Object.entries(added)) headers.push(name, value)
    const path = pathname + search
    const { method } = incoming
    const forwarded = request({ hostname, port, path, method, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.statusMessage, answer.rawHeaders)
      outgoing.flushHeaders()
      answer.on('error', () => outgoing.destroy())
      answer.pipe(outgoing)
    })
    forwarded.on('error', () => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502).end()
    })
    outgoing.on('close', () => outgoing.writableFinished || forwarded.destroy())
    incoming.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}${pathname}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      agent.destroy()
      await once(server, 'close')
    },
  }
}
