/** Endpoints with workflows on real sockets, for tests of single nodes. */
import assert from 'node:assert/strict'
import { type Orders, startOrders } from './orders.ts'
import { call, type Reply, type TestServerOptions } from './server.ts'

export interface Definition {
  readonly nodes: readonly object[]
  readonly edges: readonly object[]
}

export interface Flows extends Orders {
  /** Publishes an endpoint with the workflow; gives its path at the gateway. */
  endpoint(workflow: Definition | string, more?: object): Promise<string>
  /** A call with the token of the worked example, or another one. */
  get(path: string, token?: string): Promise<Reply>
  post(path: string, body: unknown, token?: string): Promise<Reply>
  /** Makes a shared workflow. */
  share(name: string, definition: Definition): Promise<Reply>
}

/** Starts the worked example on two gateway threads. */
export async function startFlows(options: TestServerOptions = {}): Promise<Flows> {
  const orders = await startOrders({ workers: 2, ...options })
  const { server } = orders
  let count = 0
  return {
    ...orders,
    async endpoint(workflow, more = {}) {
      const path = `/v1/flow-${++count}`
      const methods = ['GET', 'POST']
      const made = await orders.addProxy(`Flow ${count}`, { methods, path, workflow, ...more })
      assert.equal(made.status, 201, made.text)
      return `/orders${path}`
    },
    get: (path, token = orders.token) => call('GET', `${server.running.gatewayUrl}${path}`, { token }),
    post: (path, body, token = orders.token) =>
      call('POST', `${server.running.gatewayUrl}${path}`, { token, body }),
    share: (name, definition) => server.manage('POST', '/workflows', { name, definition }),
  }
}

/** A definition after an http_trigger `http`. Edges are `from to` or `from handle to`. */
export function flow(nodes: readonly object[], edges: readonly string[]): Definition {
  return {
    nodes: [{ id: 'http', type: 'http_trigger' }, ...nodes],
    edges: edges.map((text) => {
      const parts = text.split(' ')
      return { from: parts[0], to: parts.at(-1), ...(parts.length === 3 ? { handle: parts[1] } : {}) }
    }),
  }
}

export const answer = (id: string, inputs: object, config: object = {}): object => ({
  id,
  type: 'response_node',
  inputs,
  config,
})
