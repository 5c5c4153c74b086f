import { type Guarded, guarded } from '../guarded.ts'
import type { Context } from '../native/context.ts'
import { createContext, type NativeEngineOptions } from '../native/create-context.ts'
import type { NodeExchange } from './exchange.ts'

/** What the parts of one engine share: rules, clock and sweep are those of the native engine, the bytes are Node's. */
export interface NodeContext extends Guarded<NodeExchange> {
  readonly shared: Context
}

export function createNodeContext<State>(options: NativeEngineOptions<State>): NodeContext {
  return { shared: createContext(options), ...guarded<NodeExchange, State>(options.handler, options.onFault) }
}
