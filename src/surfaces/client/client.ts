import type { z } from 'zod'
import type { Operation } from '../../operations/engine/define.ts'
import { API_ROOT, routeOf } from '../route.ts'
import { type Answer, type CallOptions, type ClientOptions, send, sendForBytes, type Target } from './send.ts'

export interface Client {
  /** Calls an operation; throws as {@link send} does. */
  call<I extends z.ZodObject, O extends z.ZodObject>(
    operation: Operation<I, O>,
    input: z.input<I>,
    options?: CallOptions,
  ): Promise<Answer<z.output<O>>>
  /** The bytes that an operation answers; throws as {@link call} does. */
  download(
    operation: Operation,
    input: Readonly<Record<string, unknown>>,
  ): Promise<ReadableStream<Uint8Array>>
}

const USER_AGENT = 'postern-client'

/** A client of Management REST. What it can call are the operations themselves. */
export function createClient(given: ClientOptions): Client {
  const options = { userAgent: USER_AGENT, ...given }
  return {
    // define() hands operations out by their erased type; routes depend on nothing else
    call: (operation, input, callOptions = {}) =>
      send(options, targetOf(operation as unknown as Operation), input, callOptions),
    download: (operation, input) => sendForBytes(options, targetOf(operation), input),
  }
}

function targetOf(operation: Operation): Target {
  const { method, path } = routeOf(operation)
  return { method, path: API_ROOT + path }
}
