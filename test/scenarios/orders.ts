import {
  callAsAgent,
  publishOrders,
  type Reply,
  startTestServer,
  type TestServer,
  type TestServerOptions,
  until,
} from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

/** The worked example on real sockets, for all tests of a file or one of them. */
export interface Orders extends AsyncDisposable {
  readonly server: TestServer
  readonly upstream: TestUpstream
  /** Of the profile that {@link publishOrders} made. */
  readonly token: string
  /** A call below /orders with that token. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  /** A published route in the collection. */
  addProxy(name: string, members: Record<string, unknown>): Promise<Reply>
  /** `execute_call` with that token: its structured result. */
  executeCall(values: Record<string, unknown>): Promise<Reply['json']>
  /** The record of a request, once it is stored. */
  record(id: string): Promise<Reply['json']>
  stop(): Promise<void>
}

/** Starts an upstream and a Postern in front of it with the worked example published. */
export async function startOrders(options: TestServerOptions = {}): Promise<Orders> {
  const upstream = await startUpstream()
  const server = await startTestServer(options)
  const token = await publishOrders(server, upstream.url)
  const stop = async (): Promise<void> => {
    await server.stop()
    await upstream.close()
  }
  return {
    server,
    upstream,
    token,
    ask: (method, path, body, headers = {}) =>
      server.gateway(method, `/orders${path}`, { token, headers, body }),
    addProxy: (name, members) =>
      server.manage('POST', '/proxies', { collection: 'orders', name, status: 'published', ...members }),
    executeCall: (values) => callAsAgent(server, token, values),
    async record(id) {
      const reply = await until(
        () => server.manage('GET', `/records/${id}`),
        ({ status }) => status === 200,
      )
      return reply.json
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
