import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type {
  ClientHttp2Session,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from 'node:http2'
import { Agent, type AgentOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import type { Issued } from '../certificates.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import {
  type CallOptions,
  type Reply,
  startTestServer,
  type TestServer,
  type TestServerOptions,
} from './server.ts'

/** A Postern whose gateway listener speaks TLS and takes client certificates of these authorities. */
export async function startSecureServer(
  authorities: readonly Issued[],
  options: TestServerOptions = {},
): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-secure-'))
  const file = (name: string): string => join(directory, name)
  await writeFile(file('a.pem'), CERTIFICATE)
  await writeFile(file('a.key'), PRIVATE_KEY)
  await writeFile(file('clients.pem'), authorities.map(({ certificate }) => certificate).join(''))
  const flags = ['--tls-cert', file('a.pem'), '--tls-key', file('a.key')]
  try {
    return await startTestServer({ ...options, flags: [...flags, '--tls-client-ca', file('clients.pem')] })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** One connection in TLS at a time; `shown` is the certificate of the caller and those below it. */
export function connectionShowing(shown: readonly Issued[], options: AgentOptions): Agent {
  const [leaf] = shown
  const own =
    leaf === undefined ? {} : { cert: shown.map(({ certificate }) => certificate).join(''), key: leaf.key }
  return new Agent({ ...options, maxSockets: 1, ca: CERTIFICATE, servername: 'origin.test', ...own })
}

/** A call in TLS on the gateway listener: on a kept connection, or on one of its own with these certificates. */
export function callSecurely(
  server: TestServer,
  method: string,
  path: string,
  { token, headers = {}, body, over = [] }: CallOptions & { readonly over?: Agent | readonly Issued[] } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request(`${server.running.gatewayUrl}${path}`, {
      agent: over instanceof Agent ? over : connectionShowing(over, { keepAlive: false }),
      method,
      headers: {
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    })
    asked.on('error', reject)
    asked.on('response', async (response) => {
      let text = ''
      for await (const piece of response) text += piece
      const lines = Object.entries(response.headers).map(([name, value]): [string, string] => [
        name,
        String(value),
      ])
      resolve({
        status: response.statusCode ?? 0,
        headers: new Headers(lines),
        text,
        json: response.headers['content-type']?.includes('json') === true ? JSON.parse(text) : null,
      })
    })
    asked.end(body === undefined ? '' : JSON.stringify(body))
  })
}

/** Sends a request over HTTP/2, and gives the status and body of the answer. */
export async function askHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<{ readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader; readonly text: string }> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & IncomingHttpStatusHeader]
  return { headers: answer, text: await textOf(stream) }
}
