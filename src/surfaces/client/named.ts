/**
 * The client for programs that do not have the registry, such as web pages: it knows operations by their names.
 * `named.test.ts` proves that it loads no package and no module of Node.js.
 */
import { type Answer, type CallOptions, type ClientOptions, send } from './send.ts'
import { API_ROOT, type Operations, ROUTES } from './types.ts'

export interface NamedClient {
  /** Calls an operation; throws as {@link send} does. */
  call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
    options?: CallOptions,
  ): Promise<Answer<Operations[N]['output']>>
}

/** A client that knows operations by their names, with the types of what they take and answer. */
export function createNamedClient(options: ClientOptions): NamedClient {
  return {
    async call(name, input, callOptions = {}) {
      const [method = '', path = ''] = ROUTES[name].split(' ')
      return send(options, { method, path: API_ROOT + path }, input, callOptions)
    },
  }
}
